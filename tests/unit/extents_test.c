/* SPDX-License-Identifier: GPL-2.0-only */
/* Room in an array that is handed out, rests, and is handed out again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "random_numbers.h"
#include "unwind/extents.h"

static void one_after_the_other(void **state)
{
	struct extents e = {};

	(void)state;
	assert_int_equal(extents__init(&e, 100), 0);
	assert_int_equal(extents__take(&e, 30, 0), 0);
	assert_int_equal(extents__take(&e, 30, 0), 30);
	assert_int_equal(extents__take(&e, 41, 0), -ENOSPC);
	assert_int_equal(extents__take(&e, 40, 0), 60);
	assert_int_equal(extents__take(&e, 1, 0), -ENOSPC);
	extents__free(&e);
}

static void nothing_to_hand_out(void **state)
{
	struct extents e = {};

	(void)state;
	assert_int_equal(extents__init(&e, 0), 0);
	assert_int_equal(extents__take(&e, 1, 1), -ENOSPC);
	assert_int_equal(extents__give(&e, 5, 0, 0), 0);
	assert_int_equal(extents__take(&e, 1, 1), -ENOSPC);
	extents__free(&e);
}

static void resting(void **state)
{
	struct extents e = {};

	(void)state;
	assert_int_equal(extents__init(&e, 10), 0);
	assert_int_equal(extents__take(&e, 10, 5), 0);
	assert_int_equal(extents__give(&e, 0, 10, 100), 0);
	assert_int_equal(extents__take(&e, 1, 99), -ENOSPC);
	assert_int_equal(extents__take(&e, 1, 100), 0);
	extents__free(&e);
}

/* Given back in any order, neighbours become one; but not with one that still rests. */
static void joining(void **state)
{
	static const uint32_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct extents e;
	unsigned int i, k;

	(void)state;
	for (i = 0; i < 6; i++) {
		memset(&e, 0, sizeof(e));
		assert_int_equal(extents__init(&e, 30), 0);
		assert_int_equal(extents__take(&e, 30, 0), 0);
		for (k = 0; k < 3; k++)
			assert_int_equal(extents__give(&e, 10 * orders[i][k], 10, 10 * orders[i][k]), 0);
		assert_int_equal(extents__take(&e, 11, 9), -ENOSPC);
		assert_int_equal(extents__take(&e, 21, 10), -ENOSPC);
		assert_int_equal(extents__take(&e, 21, 19), -ENOSPC);
		assert_int_equal(extents__take(&e, 30, 20), 0);
		extents__free(&e);
	}
}

#define N     200
#define TAKEN UINT64_MAX

/* Each element alone: TAKEN, or the time from which it is free. */
static uint64_t model[N];

static int64_t model_take(uint32_t n, uint64_t now)
{
	uint32_t i, run = 0;

	for (i = 0; i < N; i++) {
		run = model[i] != TAKEN && model[i] <= now ? run + 1 : 0;
		if (run == n)
			return i + 1 - n;
	}
	return -ENOSPC;
}

static uint32_t pick(uint32_t n)
{
	static uint64_t state = RANDOM_SEED;

	return (uint32_t)((next_random(&state) >> 20) % n);
}

static void random_calls(void **state)
{
	struct {
		uint32_t first, n;
	} held[N];
	unsigned int n_held = 0, i, step;
	struct extents e = {};
	uint64_t now = 0;

	(void)state;
	memset(model, 0, sizeof(model));
	assert_int_equal(extents__init(&e, N), 0);
	for (step = 0; step < 100000; step++) {
		now += pick(3);
		if (n_held && pick(2)) {
			uint32_t which = pick(n_held), first = held[which].first, n = held[which].n;
			uint64_t free = now + pick(40);

			held[which] = held[--n_held];
			assert_int_equal(extents__give(&e, first, n, free), 0);
			for (i = first; i < first + n; i++)
				model[i] = free;
		} else {
			uint32_t n = 1 + pick(pick(8) ? 12 : N);
			int64_t first = model_take(n, now);

			assert_int_equal(extents__take(&e, n, now), first);
			if (first < 0)
				continue;
			for (i = 0; i < n; i++)
				model[first + i] = TAKEN;
			held[n_held].first = (uint32_t)first;
			held[n_held++].n = n;
		}
		/* However it was cut, it does not stay in pieces. */
		assert_true(e.unused.n <= N);
	}
	while (n_held--)
		extents__give(&e, held[n_held].first, held[n_held].n, 0);
	assert_int_equal(extents__take(&e, N, now + 40), 0);
	extents__free(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(nothing_to_hand_out),
		cmocka_unit_test(resting),
		cmocka_unit_test(joining),
		cmocka_unit_test(random_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
