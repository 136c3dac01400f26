/* SPDX-License-Identifier: GPL-2.0-only */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "account/losses.h"
#include "account/snapshot.h"
#include "judge/verdict.h"

static struct judgement judge(struct site *sites, unsigned int n)
{
	struct snapshot snap = {.sites = sites, .n_sites = n};
	struct judgement j;

	assert_int_equal(judge__snapshot(&snap, &j), 0);
	assert_int_equal(j.n, n);
	return j;
}

static void check_reason(struct site s, bool rising, const char *reason)
{
	struct judgement j = judge(&s, 1);

	assert_int_equal(j.sites[0].rising, rising);
	assert_string_equal(j.sites[0].reason, reason);
	assert_int_equal(j.sites[0].class, CLASS_UNKNOWN);
	assert_int_equal(j.sites[0].growing, -1);
	assert_true(isnan(j.sites[0].confidence));
	assert_int_equal(j.sites[0].rank, 1);
	judgement__free(&j);
}

static void test_reasons(void **state)
{
	(void)state;
	check_reason((struct site){.windows = 12, .rises = 11}, true, "floor rose 11 of 11 windows, never fell");
	check_reason((struct site){.windows = 6, .rises = 5}, true, "floor rose 5 of 5 windows, never fell");
	check_reason((struct site){.windows = 40, .rises = 5}, true, "floor rose 5 of 39 windows, never fell");
	check_reason((struct site){.windows = 40, .rises = 4}, false, "floor rose 4 and fell 0 of 39 windows");
	check_reason((struct site){.windows = 40, .rises = 38, .falls = 1}, false,
		     "floor rose 38 and fell 1 of 39 windows");
	check_reason((struct site){.windows = 12}, false, "floor did not move in 11 windows");
	check_reason((struct site){.windows = 2, .rises = 1}, false, "too early: 2 of at least 6 windows seen");
	check_reason((struct site){.windows = 5, .rises = 4}, false, "too early: 5 of at least 6 windows seen");
	check_reason((struct site){}, false, "too early: 0 of at least 6 windows seen");
}

static void test_no_sites(void **state)
{
	struct judgement j = judge(NULL, 0);

	(void)state;
	assert_null(j.sites);
	assert_null(j.order);
	judgement__free(&j);
}

static void test_ranks(void **state)
{
	/* Written in the order they must come out in. */
	struct site sites[] = {
		{.id = 1, .windows = 9, .rises = 8, .growth_bytes_per_s = 10, .live_bytes = 5},
		{.id = 2, .windows = 9, .rises = 5, .growth_bytes_per_s = 2, .live_bytes = 900},
		{.id = 3, .windows = 9, .rises = 5, .growth_bytes_per_s = NAN, .live_bytes = 900},
		{.id = 4, .windows = 9, .rises = 4, .growth_bytes_per_s = 1e9, .live_bytes = 7, .overflow = true},
		{.id = 5, .growth_bytes_per_s = 3, .live_bytes = 8},
		{.id = 6, .growth_bytes_per_s = 3, .live_bytes = 7},
		{.id = 7, .growth_bytes_per_s = 3, .live_bytes = 7},
		{.id = 8, .growth_bytes_per_s = -3, .live_bytes = 7},
		{.id = 9, .growth_bytes_per_s = NAN, .live_bytes = 7},
		{.id = 10, .growth_bytes_per_s = NAN, .live_bytes = 6},
		{.id = 11, .windows = 9, .rises = 8, .growth_bytes_per_s = 1e9},
		{.id = 12, .growth_bytes_per_s = 1e9, .overflow = true},
		{.id = 13, .growth_bytes_per_s = 1, .live_bytes = -5},
	};
	const unsigned int n = sizeof(sites) / sizeof(sites[0]);

	(void)state;
	for (unsigned int shift = 0; shift < n; shift++) {
		struct site turned[sizeof(sites) / sizeof(sites[0])];
		struct judgement j;

		/* 5 has no factor in common with 13: every shift is another order. */
		for (unsigned int i = 0; i < n; i++)
			turned[(i * 5 + shift) % n] = sites[i];
		j = judge(turned, n);
		for (unsigned int i = 0; i < n; i++) {
			assert_int_equal(turned[j.order[i]].id, i + 1);
			assert_int_equal(j.sites[j.order[i]].rank, i + 1);
		}
		judgement__free(&j);
	}
}

static void test_class_names(void **state)
{
	static const char *const names[] = {"unknown", "recurring", "sporadic", "one-time", "implicit", "none"};

	(void)state;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(leak_class__name((enum leak_class)i), names[i]);
	assert_string_equal(leak_class__name((enum leak_class)77), "unknown");
}

static void test_losses(void **state)
{
	struct losses none = {};
	unsigned int blurring = 0;

	(void)state;
	assert_false(losses__change_answer(&none));
	assert_false(losses__any(&none));
	for (unsigned int i = 0; i < n_loss_kinds; i++) {
		struct losses l = {};

		*(uint64_t *)((char *)&l + loss_kinds[i].offset) = 1;
		assert_true(losses__any(&l));
		assert_int_equal(losses__change_answer(&l), loss_kinds[i].changes_answer);
		assert_int_equal(loss_kind__count(&loss_kinds[i], &l), 1);
		for (unsigned int j = 0; j < i; j++)
			assert_int_not_equal(loss_kinds[j].offset, loss_kinds[i].offset);
		blurring += !loss_kinds[i].changes_answer;
	}
	assert_int_equal(blurring, 4);
	assert_false(losses__change_answer(&(struct losses){
		.records_dropped = 1, .stacks_truncated = UINT64_MAX, .floors_missed = 1, .events_dropped = 1}));
	assert_true(losses__change_answer(&(struct losses){.records_dropped = 1, .probe_misses = 1}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),	    cmocka_unit_test(test_no_sites), cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_class_names), cmocka_unit_test(test_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
