/* SPDX-License-Identifier: GPL-2.0-only */
/* ranges: which of many address ranges holds an address, where later ones replace what they overlap of earlier ones. */
#pragma once

#include <stdint.h>

#include "base/vec.h"

struct range {
	uint64_t lo, hi; /* hi exclusive */
	uint64_t start;	 /* of the whole of which this may be a part */
	uint64_t ref;	 /* the user's */
};

/* Disjoint, by address. */
struct ranges {
	VEC(struct range) list;
};

/*
 * Put n ranges over those that are there, each over the ones before it. Empty ones are ignored. Of r at most one copy
 * is made: what it costs grows with r as with the batch. -ENOMEM leaves r as it was.
 */
int ranges__put(struct ranges *r, const struct range *batch, size_t n);

/* NULL: none. */
const struct range *ranges__find(const struct ranges *r, uint64_t address);

void ranges__free(struct ranges *r);
