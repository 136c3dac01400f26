/* SPDX-License-Identifier: GPL-2.0-only */
/* Later ranges over earlier ones, against an array that has an answer for every address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect/ranges.h"

#define ADDRESSES 300

static uint32_t seed = 12345;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void check(const struct ranges *r, const struct range *wanted[ADDRESSES])
{
	size_t i;

	for (i = 0; i < ADDRESSES; i++) {
		const struct range *got = ranges__find(r, i);

		if (!wanted[i]) {
			assert_null(got);
			continue;
		}
		assert_non_null(got);
		assert_int_equal(got->ref, wanted[i]->ref);
		assert_int_equal(got->start, wanted[i]->start);
	}
	for (i = 0; i < r->list.n; i++) {
		assert_true(r->list.at[i].lo < r->list.at[i].hi);
		assert_true(!i || r->list.at[i - 1].hi <= r->list.at[i].lo);
	}
}

/* Batches of 0 to 40, each range with a number of its own; some are empty or the wrong way round. */
static void random_batches(void **state)
{
	unsigned int round, n_batches, next = 0;
	size_t i, n;
	uint64_t a;

	(void)state;
	for (round = 0; round < 300; round++) {
		static struct range all[8][40];
		const struct range *wanted[ADDRESSES] = {};
		struct ranges r = {};

		n_batches = 1 + random_below(8);
		for (unsigned int batch = 0; batch < n_batches; batch++) {
			n = random_below(41);
			for (i = 0; i < n; i++) {
				struct range *one = &all[batch][i];

				one->lo = one->start = random_below(ADDRESSES);
				one->hi = one->lo + random_below(round % 2 ? 12 : 120) - random_below(2);
				one->ref = next++;
				for (a = one->lo; a < one->hi && a < ADDRESSES; a++)
					wanted[a] = one;
			}
			assert_int_equal(ranges__put(&r, all[batch], n), 0);
			check(&r, wanted);
		}
		ranges__free(&r);
	}
}

static void ends_of_the_address_space(void **state)
{
	const struct range batch[] = {{.lo = 0, .hi = UINT64_MAX, .ref = 1},
				      {.lo = UINT64_MAX - 1, .hi = UINT64_MAX, .ref = 2},
				      {.lo = 0, .hi = 1, .ref = 3}};
	struct ranges r = {};

	(void)state;
	assert_null(ranges__find(&r, 0));
	assert_int_equal(ranges__put(&r, NULL, 0), 0);
	assert_int_equal(ranges__put(&r, batch, 3), 0);
	assert_int_equal(r.list.n, 3);
	assert_int_equal(ranges__find(&r, 0)->ref, 3);
	assert_int_equal(ranges__find(&r, 1)->ref, 1);
	assert_int_equal(ranges__find(&r, UINT64_MAX - 2)->ref, 1);
	assert_int_equal(ranges__find(&r, UINT64_MAX - 1)->ref, 2);
	assert_null(ranges__find(&r, UINT64_MAX));
	ranges__free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_batches),
		cmocka_unit_test(ends_of_the_address_space),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
