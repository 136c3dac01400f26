/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "collect/ranges.h"

/* Add what [lo, hi) has of `from`. There is room. */
static void add_part(struct ranges *out, const struct range *from, uint64_t lo, uint64_t hi)
{
	struct range part = *from;

	if (part.lo < lo)
		part.lo = lo;
	if (part.hi > hi)
		part.hi = hi;
	if (part.lo < part.hi)
		out->list.at[out->list.n++] = part;
}

/* out: `over`, and of `under` what lies in the gaps. Each range of `over` can cut one of `under` in two. */
static int overlay(struct ranges *out, const struct ranges *under, const struct ranges *over)
{
	size_t room = under->list.n + 2 * over->list.n, i = 0, j;
	const struct range *old = under->list.at, *new = over->list.at;
	uint64_t gap = 0, gap_end;

	*out = (struct ranges){};
	out->list.at = reallocarray(NULL, room ? room : 1, sizeof(*out->list.at));
	if (!out->list.at)
		return -ENOMEM;
	out->list.cap = room ? room : 1;
	for (j = 0; j <= over->list.n; j++) {
		gap_end = j < over->list.n ? new[j].lo : UINT64_MAX;
		for (; i < under->list.n && old[i].lo < gap_end; i++) {
			add_part(out, &old[i], gap, gap_end);
			if (old[i].hi > gap_end)
				break; /* it goes on, maybe behind new[j] */
		}
		if (j == over->list.n)
			break;
		add_part(out, &new[j], 0, UINT64_MAX);
		gap = new[j].hi;
	}
	return 0;
}

/* As a merge sort: each half in itself, then the second over the first. */
static int resolve(struct ranges *out, const struct range *batch, size_t n)
{
	struct ranges first = {}, second = {};
	struct range *only;
	int err;

	*out = (struct ranges){};
	if (!n || (n == 1 && batch->lo >= batch->hi))
		return 0;
	if (n == 1) {
		only = vec__add(&out->list);
		if (!only)
			return -ENOMEM;
		*only = *batch;
		return 0;
	}
	err = resolve(&first, batch, n / 2);
	if (!err)
		err = resolve(&second, batch + n / 2, n - n / 2);
	if (!err)
		err = overlay(out, &first, &second);
	ranges__free(&first);
	ranges__free(&second);
	return err;
}

int ranges__put(struct ranges *r, const struct range *batch, size_t n)
{
	struct ranges fresh, all;
	int err = resolve(&fresh, batch, n);

	if (!err)
		err = overlay(&all, r, &fresh);
	ranges__free(&fresh);
	if (err)
		return err;
	ranges__free(r);
	*r = all;
	return 0;
}

const struct range *ranges__find(const struct ranges *r, uint64_t address)
{
	size_t lo = 0, hi = r->list.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct range *at = &r->list.at[mid];

		if (address < at->lo)
			hi = mid;
		else if (address >= at->hi)
			lo = mid + 1;
		else
			return at;
	}
	return NULL;
}

void ranges__free(struct ranges *r)
{
	vec__free(&r->list);
}
