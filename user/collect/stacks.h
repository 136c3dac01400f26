/* SPDX-License-Identifier: GPL-2.0-only */
/* stacks: the frames of each site, resolved to files when they arrive and kept until the end of the trace. */
#pragma once

#include <stdint.h>

#include "abi.h"
#include "collect/images.h"
#include "collect/reading.h"

struct stack {
	struct frame *frames; /* NULL: not arrived */
	uint16_t n;
	bool cut; /* as deep as the walk could go */
};

struct stacks {
	struct stack *by_site;
	uint64_t n;
};

/* 0 or -ENOMEM. */
int stacks__init(struct stacks *s, uint64_t n_sites);
void stacks__free(struct stacks *s);

/* Keep the stack of a record. A second record of the same site is ignored. 0, -ENOMEM, or -EPROTO for a bad record. */
int stacks__add(struct stacks *s, struct images *images, const struct lt_rec_stack *rec, size_t size);
