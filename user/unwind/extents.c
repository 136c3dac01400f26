/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "unwind/extents.h"

int extents__init(struct extents *e, uint32_t n)
{
	return extents__give(e, 0, n, 0);
}

void extents__free(struct extents *e)
{
	vec__free(&e->unused);
}

static void remove_at(struct extents *e, size_t i)
{
	memmove(e->unused.at + i, e->unused.at + i + 1, (e->unused.n - i - 1) * sizeof(e->unused.at[0]));
	e->unused.n--;
}

/* Join neighbours that have both rested long enough. */
static void join(struct extents *e, uint64_t now_ns)
{
	size_t i = 0;

	while (i + 1 < e->unused.n) {
		struct extent *a = &e->unused.at[i], *b = a + 1;

		if (a->first + a->n == b->first && a->free_ns <= now_ns && b->free_ns <= now_ns) {
			a->n += b->n;
			remove_at(e, i + 1);
		} else {
			i++;
		}
	}
}

int64_t extents__take(struct extents *e, uint32_t n, uint64_t now_ns)
{
	uint32_t first;
	size_t i;

	join(e, now_ns);
	for (i = 0; i < e->unused.n; i++) {
		struct extent *at = &e->unused.at[i];

		if (at->n < n || at->free_ns > now_ns)
			continue;
		first = at->first;
		at->first += n;
		at->n -= n;
		if (!at->n)
			remove_at(e, i);
		return first;
	}
	return -ENOSPC;
}

int extents__give(struct extents *e, uint32_t first, uint32_t n, uint64_t free_ns)
{
	struct extent *slot;
	size_t i;

	if (!n)
		return 0;
	if (!vec__add(&e->unused))
		return -ENOMEM;
	for (i = e->unused.n - 1; i > 0 && e->unused.at[i - 1].first > first; i--)
		e->unused.at[i] = e->unused.at[i - 1];
	slot = &e->unused.at[i];
	slot->first = first;
	slot->n = n;
	slot->free_ns = free_ns;
	return 0;
}
