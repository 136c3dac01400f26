/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#include "symbolize/spans.h"

/* The largest real programs have a tenth of this; a hostile file must not make us allocate without end. */
#define MAX_SPANS 4000000u
/* Real nesting is a handful deep; only a hostile file makes the search walk further. */
#define MAX_NESTING 64
#define NO_PARENT   UINT32_MAX

void spans__add(struct spans *s, uint64_t lo, uint64_t hi, uint64_t ref)
{
	struct span *it;

	if (s->full || hi <= lo)
		return;
	it = s->list.n < MAX_SPANS ? vec__add(&s->list) : NULL;
	if (!it) {
		s->full = true;
		return;
	}
	*it = (struct span){.lo = lo, .hi = hi, .ref = ref, .parent = NO_PARENT};
}

/* Total order, so that equal input gives equal answers whatever qsort() does with ties. */
static int compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	if (x->hi != y->hi)
		return x->hi > y->hi ? -1 : 1;
	return x->ref < y->ref ? -1 : x->ref > y->ref;
}

void spans__sort(struct spans *s)
{
	struct span *at = s->list.at;
	size_t i;

	if (!s->list.n)
		return;
	qsort(at, s->list.n, sizeof(*at), compare);
	at[0].parent = NO_PARENT;
	/*
	 * parent: the nearest earlier span that is still open where this one starts. The chain of parents is the stack
	 * of open spans, so each span is popped once and the sweep is linear.
	 */
	for (i = 1; i < s->list.n; i++) {
		uint32_t p = (uint32_t)(i - 1);

		while (p != NO_PARENT && at[p].hi <= at[i].lo)
			p = at[p].parent;
		at[i].parent = p;
	}
}

const struct span *spans__find(const struct spans *s, uint64_t addr)
{
	size_t lo = 0, hi = s->list.n;
	unsigned int steps;
	uint32_t i;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->list.at[mid].lo <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	i = (uint32_t)(lo - 1);
	for (steps = 0; i != NO_PARENT && steps < MAX_NESTING; steps++) {
		if (addr < s->list.at[i].hi)
			return &s->list.at[i];
		i = s->list.at[i].parent;
	}
	return NULL;
}

void spans__free(struct spans *s)
{
	vec__free(&s->list);
}
