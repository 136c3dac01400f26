/* SPDX-License-Identifier: GPL-2.0-only */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "account/series.h"

static double ends[SNAPSHOT_FLOORS];

/* The series of these floors, one for each window. */
static struct floor_series series_of(const uint64_t *floors, unsigned int n)
{
	struct floor_series s = {};
	unsigned int i;

	for (i = 0; i < n; i++)
		floor_series__add(&s, floors[i]);
	return s;
}

#define SERIES(...)                                                                                                    \
	series_of((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* Windows that end every `seconds`. */
static void set_ends(double seconds)
{
	unsigned int i;

	for (i = 0; i < SNAPSHOT_FLOORS; i++)
		ends[i] = seconds * (i + 1);
}

static void assert_near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-9 * (1 + fabs(want))))
		fail_msg("%.17g is not %.17g", got, want);
}

static void rises_and_falls(void **state)
{
	struct floor_series s = SERIES(5);

	(void)state;
	assert_int_equal(s.windows, 1);
	assert_int_equal(s.rises, 0);
	assert_int_equal(s.falls, 0);
	s = SERIES(0, 0, 10, 10, 11, 3, 3, UINT64_MAX, 0);
	assert_int_equal(s.windows, 9);
	assert_int_equal(s.n, 9);
	assert_int_equal(s.rises, 3);
	assert_int_equal(s.falls, 2);
	assert_int_equal(s.floors[0], 0);
	assert_int_equal(s.floors[7], UINT64_MAX);
	assert_int_equal(s.floors[8], 0);
}

static void too_few_for_a_slope(void **state)
{
	struct floor_series s = {};

	(void)state;
	set_ends(5);
	assert_true(isnan(floor_series__slope(&s, ends, 10)));
	s = SERIES(1);
	assert_true(isnan(floor_series__slope(&s, ends, 10)));
	s = SERIES(1, 2, 3);
	assert_true(isnan(floor_series__slope(&s, ends, 10)));
	s = SERIES(1, 2, 3, 4);
	assert_false(isnan(floor_series__slope(&s, ends, 10)));
	/* Fewer ends than floors cannot be. */
	assert_true(isnan(floor_series__slope(&s, ends, 3)));
	/* No time has passed. */
	set_ends(0);
	assert_true(isnan(floor_series__slope(&s, ends, 10)));
}

static void exact_slopes(void **state)
{
	static const double uneven[] = {1, 2, 4, 8, 16};
	struct floor_series s = SERIES(999999, 100, 200, 300, 400);

	(void)state;
	set_ends(5);
	/* The first floor is left out. */
	assert_near(floor_series__slope(&s, ends, 5), 20);
	/* The newest ends are those of the newest floors. */
	assert_near(floor_series__slope(&s, ends, 60), 20);
	s = SERIES(0, 700, 700, 700);
	assert_near(floor_series__slope(&s, ends, 4), 0);
	s = SERIES(0, 900, 600, 300);
	assert_near(floor_series__slope(&s, ends, 4), -60);
	/* Of (2, 1) (4, 3) (8, 2) (16, 6): 36 / 115. */
	s = SERIES(50, 1, 3, 2, 6);
	assert_near(floor_series__slope(&s, uneven, 5), 36.0 / 115);
	/* Large numbers. */
	s = SERIES(0, 1ull << 50, (1ull << 50) + 5, (1ull << 50) + 10);
	assert_near(floor_series__slope(&s, ends, 4), 1);
}

static void ring_of_sixty(void **state)
{
	struct floor_series s = {};
	unsigned int i;

	(void)state;
	set_ends(2);
	for (i = 0; i < SNAPSHOT_FLOORS; i++)
		floor_series__add(&s, i ? 100ull * i : 1000000);
	assert_int_equal(s.n, SNAPSHOT_FLOORS);
	assert_int_equal(s.falls, 1);
	/* All are there, so the first one still is that of the birth. */
	assert_near(floor_series__slope(&s, ends, SNAPSHOT_FLOORS), 50);
	for (i = SNAPSHOT_FLOORS; i < 200; i++) {
		floor_series__add(&s, 100ull * i);
		assert_int_equal(s.n, SNAPSHOT_FLOORS);
		assert_int_equal(s.windows, i + 1);
		assert_int_equal(s.rises, i - 1);
		assert_int_equal(s.floors[SNAPSHOT_FLOORS - 1], 100 * i);
		assert_int_equal(s.floors[0], 100 * (i + 1 - SNAPSHOT_FLOORS));
		assert_near(floor_series__slope(&s, ends, SNAPSHOT_FLOORS), 50);
	}
	/* Now the oldest one counts: an outlier there changes the slope. */
	s.floors[0] = 1000000;
	assert_true(floor_series__slope(&s, ends, SNAPSHOT_FLOORS) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rises_and_falls),
		cmocka_unit_test(too_few_for_a_slope),
		cmocka_unit_test(exact_slopes),
		cmocka_unit_test(ring_of_sixty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
