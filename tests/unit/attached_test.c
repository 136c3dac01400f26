/* SPDX-License-Identifier: GPL-2.0-only */
/* What is remembered of the files of processes for the report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "probe/attached.h"

static const struct family_fn fns[] = {{.name = "pool_free"}, {.name = "pool_alloc"}};
static const struct family pool = {.name = "pool", .fns = fns, .n = 2, .given = true};
static const struct family some = {.name = "my_*", .fns = fns, .n = 2, .given = true, .some_suffice = true};
static const struct family known = {.name = "libc", .fns = fns, .n = 2};

static struct module module = {.path = (char *)"/lib/libpool.so"};

/* A plan with the n first of the functions. */
static void begin(struct planned *p, size_t n)
{
	memset(p, 0, sizeof(*p));
	p->module = &module;
	for (size_t i = 0; i < n; i++)
		((struct planned_fn *)vec__add(&p->plan.fns))->fn = &fns[i];
}

static void end(struct attached *a, struct planned *p)
{
	vec__free(&p->plan.fns);
	attached__free(a);
}

static void find_missing(struct attached *a, pid_t pid, const struct family *f, const struct planned *p)
{
	const struct family *const families[] = {&known, f, NULL};

	const struct plan *plan = &p->plan;

	assert_int_equal(attached__find_missing(a, pid, families, &plan, 1), 0);
}

static void functions_that_are_not_there(void **state)
{
	struct attached a = {};
	struct planned p;

	(void)state;
	begin(&p, 1);
	find_missing(&a, 7, &pool, &p);
	assert_int_equal(a.modules.n, 1);
	assert_int_equal(a.modules.at[0].pid, 7);
	assert_null(a.modules.at[0].module);
	assert_string_equal(a.modules.at[0].path, "allocator pool");
	assert_string_equal(a.modules.at[0].reason, "no file that is mapped has pool_alloc");
	/* Of another process, and of this one once more. */
	find_missing(&a, 8, &pool, &p);
	find_missing(&a, 7, &pool, &p);
	assert_int_equal(a.modules.n, 2);
	/* It came with a library that was loaded later. */
	((struct planned_fn *)vec__add(&p.plan.fns))->fn = &fns[1];
	find_missing(&a, 7, &pool, &p);
	assert_int_equal(a.modules.n, 1);
	assert_int_equal(a.modules.at[0].pid, 8);
	end(&a, &p);
}

/* Not every allocator has each function of malloc(3). */
static void one_of_a_prefix(void **state)
{
	struct attached a = {};
	struct planned p;

	(void)state;
	begin(&p, 0);
	find_missing(&a, 7, &some, &p);
	assert_string_equal(a.modules.at[0].reason, "no file that is mapped has pool_free, pool_alloc");
	((struct planned_fn *)vec__add(&p.plan.fns))->fn = &fns[1];
	find_missing(&a, 7, &some, &p);
	assert_int_equal(a.modules.n, 0);
	end(&a, &p);
}

static void left_out_is_not_missing(void **state)
{
	struct attached a = {};
	struct planned p;

	(void)state;
	begin(&p, 1);
	((struct unplanned_fn *)vec__add(&p.plan.left_out))->fn = &fns[1];
	find_missing(&a, 7, &pool, &p);
	assert_int_equal(a.modules.n, 0);
	vec__free(&p.plan.left_out);
	end(&a, &p);
}

/* Each once, whatever was said of it. */
static void records(void **state)
{
	static const char *names[] = {"free"};
	char note[] = "operator new of libpool.so is not hooked: why", harmless[] = "only calls";
	struct attached a = {};
	struct planned p;

	(void)state;
	begin(&p, 1);
	*vec__add(&p.families) = (struct planned_family){&known, names, 1};
	*vec__add(&p.missed.list) = note;
	*vec__add(&p.not_missed.list) = harmless;
	assert_int_equal(attached__add(&a, 7, &p), 0);
	assert_int_equal(attached__add(&a, 7, &p), 0);
	assert_int_equal(a.modules.n, 3);
	assert_string_equal(a.modules.at[0].family, "libc");
	assert_null(a.modules.at[0].reason);
	assert_string_equal(a.modules.at[1].reason, note);
	assert_false(a.modules.at[1].not_missed);
	assert_string_equal(a.modules.at[2].reason, harmless);
	assert_true(a.modules.at[2].not_missed);
	assert_int_equal(attached__add(&a, 8, &p), 0);
	assert_int_equal(a.modules.n, 6);
	p.err = -1;
	assert_int_equal(attached__add(&a, 9, &p), 0);
	assert_string_equal(a.modules.at[6].reason, p.why.text);
	vec__free(&p.families);
	vec__free(&p.missed.list);
	vec__free(&p.not_missed.list);
	end(&a, &p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_that_are_not_there),
		cmocka_unit_test(one_of_a_prefix),
		cmocka_unit_test(left_out_is_not_missing),
		cmocka_unit_test(records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
