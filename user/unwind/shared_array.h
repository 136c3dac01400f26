/* SPDX-License-Identifier: GPL-2.0-only */
/* shared_array: an array map of the kernel side as memory, read and written in place. */
#pragma once

#include <stddef.h>

struct bpf_map;

struct shared_array {
	void *at; /* NULL: not mapped */
	size_t size;
};

/* A loaded map, whose elements have this size. 0 or a negative errno. */
int shared_array__map(struct shared_array *a, const struct bpf_map *map, size_t elem);
void shared_array__unmap(struct shared_array *a);
