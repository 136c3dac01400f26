/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * birth: which birth slots there are, how long they last, and which of a site's 16 counters each one uses.
 *
 * A slot starts as one window. When the counters run out, neighbours are merged in pairs and new slots become twice as
 * long, so 16 counters cover a trace of any length, and ages stay exact to a seventh of it (right after a merge; to a
 * fourteenth right before one):
 *
 *	windows   1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
 *	counters  0  1  2  3  4  5  6  7  8  9 10 11 12 13 14      (full)
 *	merged   [0   ][2   ][4   ][6   ][8   ][10   ][12    ]14   1, 3, 5 … are free after a grace period
 *
 * Pure logic: the caller publishes birth->counter_of to the kernel side, and moves what a retired counter still holds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

struct birth_group {
	uint8_t counter;
	uint32_t first, last;	   /* absolute birth slots in it */
	uint64_t start_ns, end_ns; /* end of the newest group: 0, it is still running */
};

/* A counter whose blocks are counted elsewhere now. Late updates may still reach it until its grace period is over. */
struct birth_retired {
	uint8_t counter, into;
};

struct birth {
	struct birth_group groups[LT_BIRTH_COUNTERS]; /* oldest first */
	unsigned int n_groups;
	struct birth_retired retired[LT_BIRTH_COUNTERS];
	unsigned int n_retired;
	uint32_t current;      /* absolute number of the running slot */
	uint64_t slot_windows; /* length of a new slot, in windows */
	uint64_t windows;      /* of these, how many have passed in the running slot */
	uint8_t counter_of[LT_BIRTH_SLOTS];
};

void birth__init(struct birth *b, uint64_t now_ns);

/*
 * A window has ended. First move what the retired counters hold and forget them: their grace period was one window.
 * `move` is called for each of them.
 */
void birth__window_ended(struct birth *b, uint64_t now_ns, void (*move)(const struct birth_retired *r, void *ctx),
			 void *ctx);

/* The sum of group i, with what its retired counters still hold. `counters` has LT_BIRTH_COUNTERS entries. */
int64_t birth__sum(const struct birth *b, unsigned int i, const int64_t *counters);
