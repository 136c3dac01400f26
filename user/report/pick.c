/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "report/pick.h"

struct amount pick__amount(const struct site *s, double min_age_s)
{
	struct amount a = {};

	if (!(min_age_s > 0))
		return (struct amount){.bytes = s->live_bytes, .blocks = s->live_blocks};
	for (unsigned int i = 0; i < s->n_ages; i++) {
		if (s->ages[i].min_s >= min_age_s) {
			a.bytes += s->ages[i].bytes;
			a.blocks += s->ages[i].blocks;
		}
	}
	return a;
}

bool pick__counts_block(const struct site *s, const struct block *b, double min_age_s)
{
	if (!(min_age_s > 0))
		return true;
	/* A block's age is the upper end of its bin: the lower end decides, as it does for the sums. */
	for (unsigned int i = 0; i < s->n_ages; i++)
		if (b->age_s <= s->ages[i].max_s)
			return s->ages[i].min_s >= min_age_s;
	return b->age_s >= min_age_s;
}

static int compare_blocks(const void *pa, const void *pb)
{
	const struct block *a = *(const struct block *const *)pa, *b = *(const struct block *const *)pb;

	if (a->site_id != b->site_id)
		return a->site_id < b->site_id ? -1 : 1;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return (a->address > b->address) - (a->address < b->address);
}

int block_index__build(struct block_index *idx, const struct report *r, const struct report_options *o)
{
	*idx = (struct block_index){};
	if (!o->show_addresses || !r->blocks || !r->n_blocks)
		return 0;
	idx->at = calloc(r->n_blocks, sizeof(*idx->at));
	if (!idx->at)
		return -ENOMEM;
	for (uint64_t i = 0; i < r->n_blocks; i++)
		idx->at[idx->n++] = &r->blocks[i];
	qsort(idx->at, idx->n, sizeof(*idx->at), compare_blocks);
	return 0;
}

void block_index__free(struct block_index *idx)
{
	free(idx->at);
	*idx = (struct block_index){};
}

/* The first block of a site whose id is at least site_id. */
static uint64_t lower_bound(const struct block_index *idx, uint64_t site_id)
{
	uint64_t low = 0, high = idx->n;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (idx->at[mid]->site_id < site_id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct block **block_index__of(const struct block_index *idx, uint64_t site_id, uint64_t *n)
{
	uint64_t first = lower_bound(idx, site_id);
	uint64_t end = site_id == UINT64_MAX ? idx->n : lower_bound(idx, site_id + 1);

	*n = end - first;
	return *n ? idx->at + first : NULL;
}
