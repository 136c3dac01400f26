/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * extents: who has which part of an array that another reads while it is written. A part that is given back is not
 * handed out again before a while has passed, because a reader may still be in it.
 */
#pragma once

#include <stdint.h>

#include "base/vec.h"

struct extent {
	uint32_t first, n;
	uint64_t free_ns; /* monotonic time from which it may be handed out again */
};

struct extents {
	VEC(struct extent) unused; /* by first; neighbours that are both free now are joined */
};

/* n elements, all unused. 0 or -ENOMEM. */
int extents__init(struct extents *e, uint32_t n);
void extents__free(struct extents *e);

/* Take n > 0 neighbours. Returns the first or -ENOSPC. */
int64_t extents__take(struct extents *e, uint32_t n, uint64_t now_ns);

/* Give them back; they rest until free_ns. 0 or -ENOMEM (they are never handed out again then). */
int extents__give(struct extents *e, uint32_t first, uint32_t n, uint64_t free_ns);
