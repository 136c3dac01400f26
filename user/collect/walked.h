/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walked: a call stack as far as it could be walked, by the kernel side and then here, with each frame's place in a
 * file.
 *
 * Which file lies at an address changes while a process loads and unloads libraries, and a record is read some time
 * after its stack was walked. The kernel side names the places that it met; of others only those are named here that
 * are certain to be what they were.
 */
#pragma once

#include "abi.h"
#include "collect/frame.h"
#include "collect/images.h"
#include "unwind_abi.h"

struct finisher;
struct tables;

struct walked {
	struct frame frames[LT_MAX_FRAMES];
	unsigned int n, flags; /* LT_STACK_... */
	enum lt_stack_end end;
	bool finished; /* here */
};

struct walk_context {
	struct finisher *finisher;
	struct tables *tables; /* NULL: stacks follow frame pointers */
	struct images *images;
};

/*
 * Take in a record of type LT_REC_STACK or LT_REC_PARTIAL, of a process with this image. 0, or -EPROTO for a record
 * that is none.
 */
int walked__read(struct walked *w, const struct walk_context *c, struct image *img, const struct lt_rec_stack *rec,
		 size_t size);

/* Why it is not whole, in words; NULL: it is. */
const char *lt_stack_end__words(enum lt_stack_end end);
