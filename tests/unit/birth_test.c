/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Birth slots over long traces, with a toy site whose blocks are counted as the kernel side does it: by a published
 * copy of counter_of, and sometimes late, by the copy of the window before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collect/birth.h"

#define BLOCKS	64
#define LATE	8
#define WINDOWS 100000

struct block {
	int64_t bytes; /* 0: none */
	uint32_t birth;
	uint64_t born_ns;
};

/* An update that has chosen its counter and was then kept from running. */
struct late {
	uint8_t counter;
	uint32_t birth;
	int64_t bytes;
};

struct toy {
	struct birth b;
	uint64_t now_ns, windows;
	uint64_t first_window[LT_BIRTH_SLOTS]; /* of each slot */
	/* As the kernel side sees it. */
	uint8_t counter_of[LT_BIRTH_SLOTS];
	uint32_t birth;
	int64_t counters[LT_BIRTH_COUNTERS];
	struct block blocks[BLOCKS];
	struct late late[LATE];
	unsigned int n_late;
	int64_t truth[LT_BIRTH_SLOTS];
	uint64_t seed;
};

static uint64_t pick(struct toy *t, uint64_t n)
{
	t->seed = t->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (t->seed >> 33) % n;
}

static void change(struct toy *t, uint32_t birth, int64_t bytes)
{
	uint8_t counter = t->counter_of[birth];

	if (t->n_late < LATE && !pick(t, 8)) {
		t->late[t->n_late++] = (struct late){counter, birth, bytes};
		return;
	}
	t->counters[counter] += bytes;
	t->truth[birth] += bytes;
}

static void run_late(struct toy *t)
{
	while (t->n_late) {
		const struct late *l = &t->late[--t->n_late];

		t->counters[l->counter] += l->bytes;
		t->truth[l->birth] += l->bytes;
	}
}

static void allocate_or_free(struct toy *t)
{
	struct block *block = &t->blocks[pick(t, BLOCKS)];

	t->now_ns += 1 + pick(t, 1000);
	if (block->bytes) {
		change(t, block->birth, -block->bytes);
		block->bytes = 0;
		return;
	}
	*block = (struct block){1 + (int64_t)pick(t, 5000), t->birth, t->now_ns};
	change(t, block->birth, block->bytes);
}

static void check_sums(const struct toy *t)
{
	unsigned int i;
	uint32_t slot;

	for (i = 0; i < t->b.n_groups; i++) {
		const struct birth_group *g = &t->b.groups[i];
		int64_t want = 0;

		for (slot = g->first; slot <= g->last; slot++)
			want += t->truth[slot];
		assert_int_equal(birth__sum(&t->b, i, t->counters), want);
	}
}

static void check_groups(const struct toy *t)
{
	const struct birth *b = &t->b;
	unsigned int i, used = 0;
	uint32_t slot;

	assert_in_range(b->n_groups + b->n_retired, 1, LT_BIRTH_COUNTERS);
	for (i = 0; i < b->n_groups; i++) {
		const struct birth_group *g = &b->groups[i];

		assert_int_equal(g->first, i ? b->groups[i - 1].last + 1 : 0);
		assert_int_equal(g->start_ns, i ? b->groups[i - 1].end_ns : 1);
		assert_true(g->last >= g->first && g->last < LT_BIRTH_SLOTS);
		assert_false(used & 1u << g->counter);
		used |= 1u << g->counter;
		for (slot = g->first; slot <= g->last; slot++)
			assert_int_equal(b->counter_of[slot], g->counter);
	}
	for (i = 0; i < b->n_retired; i++) {
		assert_false(used & 1u << b->retired[i].counter);
		used |= 1u << b->retired[i].counter;
	}
	assert_true(used < 1u << LT_BIRTH_COUNTERS);
	/* The running slot is a group of its own, and has not ended. */
	assert_int_equal(b->groups[b->n_groups - 1].first, b->current);
	assert_int_equal(b->groups[b->n_groups - 1].last, b->current);
	assert_int_equal(b->groups[b->n_groups - 1].end_ns, 0);
}

/* Each block was born between the boundaries of its group. */
static void check_ages(const struct toy *t)
{
	const struct birth_group *groups = t->b.groups;
	unsigned int i, g;

	for (i = 0; i < BLOCKS; i++) {
		if (!t->blocks[i].bytes)
			continue;
		for (g = 0; t->blocks[i].birth > groups[g].last; g++)
			;
		assert_true(t->blocks[i].born_ns >= groups[g].start_ns);
		assert_true(!groups[g].end_ns || t->blocks[i].born_ns <= groups[g].end_ns);
	}
}

/*
 * No group is longer than a seventh of the trace, or than one window: right after a merge, 14 slots of equal length
 * have become 7 groups. (Until the next merge the trace doubles, so it is a fourteenth then.)
 */
static void check_resolution(const struct toy *t)
{
	const struct birth *b = &t->b;
	unsigned int i;

	for (i = 0; i < b->n_groups; i++) {
		bool last = i + 1 == b->n_groups;
		uint64_t end = last ? t->windows : t->first_window[b->groups[i + 1].first];
		uint64_t length = end - t->first_window[b->groups[i].first];

		assert_true(length <= 1 || length * 7 <= t->windows);
	}
}

static void move(const struct birth_retired *r, void *ctx)
{
	struct toy *t = ctx;

	t->counters[r->into] += t->counters[r->counter];
	t->counters[r->counter] = 0;
}

static void end_window(struct toy *t)
{
	uint32_t running = t->b.current;
	uint8_t counter = t->b.counter_of[running];
	uint64_t start = t->b.groups[t->b.n_groups - 1].start_ns;

	check_sums(t);
	birth__window_ended(&t->b, t->now_ns, move, t);
	t->windows++;
	assert_in_range(t->b.current, running, running + 1);
	if (t->b.current == running) {
		assert_int_equal(t->b.counter_of[running], counter);
		assert_int_equal(t->b.groups[t->b.n_groups - 1].start_ns, start);
	} else {
		t->first_window[t->b.current] = t->windows;
	}
	check_groups(t);
	check_sums(t);
	check_resolution(t);
}

static void publish(struct toy *t)
{
	memcpy(t->counter_of, t->b.counter_of, sizeof(t->counter_of));
	t->birth = t->b.current;
}

static struct toy *toy_new(uint64_t seed)
{
	struct toy *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->seed = seed;
	t->now_ns = 1;
	birth__init(&t->b, 1);
	publish(t);
	return t;
}

static void long_trace(void **state)
{
	uint64_t w, i;

	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		struct toy *t = toy_new(seed);

		for (w = 0; w < WINDOWS; w++) {
			for (i = pick(t, 4); i > 0; i--)
				allocate_or_free(t);
			/* Those of the window before, at the last moment of their grace period. */
			run_late(t);
			for (i = pick(t, 8); i > 0; i--)
				allocate_or_free(t);
			end_window(t);
			check_ages(t);
			publish(t);
			if (pick(t, 2))
				run_late(t);
		}
		assert_true(t->b.slot_windows >= WINDOWS / 28);
		free(t);
	}
}

/* The figures of the comment in the header. */
static void first_merges(void **state)
{
	struct toy *t = toy_new(1);
	unsigned int i;

	(void)state;
	for (i = 1; i < 14; i++) {
		end_window(t);
		assert_int_equal(t->b.n_groups, i + 1);
	}
	end_window(t);
	assert_int_equal(t->b.n_groups, 8);
	assert_int_equal(t->b.n_retired, 7);
	assert_int_equal(t->b.slot_windows, 2);
	for (i = 0; i < 7; i++) {
		assert_int_equal(t->b.groups[i].counter, 2 * i);
		assert_int_equal(t->b.groups[i].first, 2 * i);
		assert_int_equal(t->b.groups[i].last, 2 * i + 1);
		assert_int_equal(t->b.retired[i].counter, 2 * i + 1);
		assert_int_equal(t->b.retired[i].into, 2 * i);
	}
	assert_int_equal(t->b.groups[7].counter, 14);
	end_window(t);
	assert_int_equal(t->b.n_groups, 8);
	assert_int_equal(t->b.n_retired, 0);
	end_window(t);
	assert_int_equal(t->b.n_groups, 9);
	assert_int_equal(t->b.groups[8].counter, 1);
	for (i = 16; i < 28; i++)
		end_window(t);
	assert_int_equal(t->b.slot_windows, 4);
	assert_int_equal(t->b.groups[0].last, 3);
	free(t);
}

/* To the last number of a slot: the running one then goes on for ever, and nothing is written beyond the table. */
static void to_the_end_of_time(void **state)
{
	struct toy *t = toy_new(1);
	uint64_t windows = 0, i;

	(void)state;
	while (t->b.current < LT_BIRTH_SLOTS - 1) {
		uint64_t skipped = t->b.slot_windows - t->b.windows - 1;

		t->b.windows += skipped;
		t->windows += skipped;
		windows += skipped + 1;
		allocate_or_free(t);
		end_window(t);
		publish(t);
		run_late(t);
	}
	/* With windows of a millisecond: more than half a year. With those of five seconds: 2700 years. */
	assert_true(windows > 1ull << 34);
	for (i = 0; i < 1000; i++) {
		t->b.windows = t->b.slot_windows;
		allocate_or_free(t);
		check_sums(t);
		birth__window_ended(&t->b, t->now_ns, move, t);
		check_groups(t);
		check_sums(t);
		publish(t);
		run_late(t);
		assert_int_equal(t->b.current, LT_BIRTH_SLOTS - 1);
	}
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_trace),
		cmocka_unit_test(first_merges),
		cmocka_unit_test(to_the_end_of_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
