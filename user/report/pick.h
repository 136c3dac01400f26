/* SPDX-License-Identifier: GPL-2.0-only */
/* pick: what of a snapshot the options ask for. Private to report; the same for every format. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "account/snapshot.h"
#include "report/report.h"

struct amount {
	int64_t bytes, blocks;
};

/* Live memory of a site, of it only what is at least min_age_s old for certain. */
struct amount pick__amount(const struct site *s, double min_age_s);

static inline bool amount__is_none(struct amount a)
{
	return !a.bytes && !a.blocks;
}

/* Whether b, a block of s, is part of that amount. */
bool pick__counts_block(const struct site *s, const struct block *b, double min_age_s);

/* The blocks of -a by site, largest first. Empty unless they were asked for. */
struct block_index {
	const struct block **at;
	uint64_t n;
};

/* 0 or -ENOMEM. Free with block_index__free(). */
int block_index__build(struct block_index *idx, const struct report *r, const struct report_options *o);
void block_index__free(struct block_index *idx);

/* The blocks of one site; *n is their number. NULL when there are none. */
const struct block **block_index__of(const struct block_index *idx, uint64_t site_id, uint64_t *n);
