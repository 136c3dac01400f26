/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * spans: address ranges that may nest or overlap, searched in logarithmic time for the innermost one around an address.
 *
 * Symbols, functions and compilation units of one file are all looked up this way; `ref` says which one was found.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

struct span {
	uint64_t lo, hi; /* [lo, hi) */
	uint64_t ref;	 /* the caller's */
	uint32_t parent; /* set by spans__sort() */
};

struct spans {
	VEC(struct span) list;
	bool full; /* some were refused: out of memory or too many */
};

/* Empty ranges are ignored, and so is everything after the first failure (see full). */
void spans__add(struct spans *s, uint64_t lo, uint64_t hi, uint64_t ref);

/* Once, after the last spans__add() and before the first spans__find(). */
void spans__sort(struct spans *s);

/* The span that starts last of those around addr (of equal starts the shortest), or NULL. */
const struct span *spans__find(const struct spans *s, uint64_t addr);

void spans__free(struct spans *s);
