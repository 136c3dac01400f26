/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "collect/birth.h"

void birth__init(struct birth *b, uint64_t now_ns)
{
	memset(b, 0, sizeof(*b));
	b->slot_windows = 1;
	b->n_groups = 1;
	b->groups[0].start_ns = now_ns;
}

static bool is_used(const struct birth *b, uint8_t counter)
{
	unsigned int i;

	for (i = 0; i < b->n_groups; i++) {
		if (b->groups[i].counter == counter)
			return true;
	}
	for (i = 0; i < b->n_retired; i++) {
		if (b->retired[i].counter == counter)
			return true;
	}
	return false;
}

/* A counter for a new group, or -1. */
static int find_unused(const struct birth *b)
{
	uint8_t c;

	for (c = 0; c < LT_BIRTH_COUNTERS; c++) {
		if (!is_used(b, c))
			return c;
	}
	return -1;
}

/* Merge neighbours in pairs; the running slot, last in the list, stays alone. */
static void merge_pairs(struct birth *b)
{
	unsigned int from, to = 0;
	uint32_t slot;

	for (from = 0; from < b->n_groups; from++, to++) {
		struct birth_group *into = &b->groups[to], *next = &b->groups[from + 1];

		*into = b->groups[from];
		if (from + 2 >= b->n_groups)
			continue;
		for (slot = next->first; slot <= next->last; slot++)
			b->counter_of[slot] = into->counter;
		b->retired[b->n_retired].counter = next->counter;
		b->retired[b->n_retired++].into = into->counter;
		into->last = next->last;
		into->end_ns = next->end_ns;
		from++;
	}
	b->n_groups = to;
	b->slot_windows *= 2;
}

/* The running slot ends, the next one begins, if there is a counter and a number for it. */
static void start_slot(struct birth *b, uint64_t now_ns)
{
	struct birth_group *g;
	int counter = find_unused(b);

	if (counter < 0 || b->current + 1 >= LT_BIRTH_SLOTS)
		return;
	b->groups[b->n_groups - 1].end_ns = now_ns;
	b->current++;
	g = &b->groups[b->n_groups++];
	memset(g, 0, sizeof(*g));
	g->counter = (uint8_t)counter;
	g->first = g->last = b->current;
	g->start_ns = now_ns;
	b->counter_of[b->current] = g->counter;
	b->windows = 0;
}

void birth__window_ended(struct birth *b, uint64_t now_ns, void (*move)(const struct birth_retired *r, void *ctx),
			 void *ctx)
{
	unsigned int i;

	for (i = 0; i < b->n_retired; i++)
		move(&b->retired[i], ctx);
	b->n_retired = 0;
	b->windows++;
	if (b->windows >= b->slot_windows)
		start_slot(b, now_ns);
	/* One counter stays in reserve: a merge frees its counters only a window later. */
	if (b->n_groups + b->n_retired >= LT_BIRTH_COUNTERS - 1)
		merge_pairs(b);
}

int64_t birth__sum(const struct birth *b, unsigned int i, const int64_t *counters)
{
	int64_t sum = counters[b->groups[i].counter];
	unsigned int r;

	for (r = 0; r < b->n_retired; r++) {
		if (b->retired[r].into == b->groups[i].counter)
			sum += counters[b->retired[r].counter];
	}
	return sum;
}
