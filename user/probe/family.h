/* SPDX-License-Identifier: GPL-2.0-only */
/* family: the allocator functions that belong together, by name, with what their arguments mean. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

struct family_fn {
	const char *name;
	enum lt_op op;
	uint8_t size_arg, count_arg, ptr_arg; /* argument numbers from 0, or LT_NO_ARG */
};

struct family {
	const char *name;
	const struct family_fn *fns;
	unsigned int n;
};

/* glibc and musl. */
const struct family *family__libc(void);

/* The family's function of that name, or NULL. */
const struct family_fn *family__find(const struct family *f, const char *name);
