/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How returns are seen: a return probe on a function that an exception leaves would end the process, so none is planned
 * there, and none at all on request. What is planned instead is compared with objdump. And the tables of functions.
 */
#include <errno.h>

#include "plan_families.h"
#include "symbolizer_fixture.h"

#define LIB "/usr/lib/x86_64-linux-gnu/"

static const struct planned_fn *find_planned(const struct plan *p, const struct family_fn *fn)
{
	const struct planned_fn *f;

	vec__each (&p->fns, f) {
		if (f->fn == fn)
			return f;
	}
	return NULL;
}

static const struct unplanned_fn *find_left_out(const struct plan *p, const struct family_fn *fn)
{
	const struct unplanned_fn *f;

	vec__each (&p->left_out, f) {
		if (f->fn == fn)
			return f;
	}
	return NULL;
}

/* Is it a place of one of the functions where a ret stands? */
static bool is_planned_ret(const struct planned_fn *f, uint64_t vaddr)
{
	uint64_t *ret;

	vec__each (&f->rets.list, ret) {
		if (*ret == f->offset - f->vaddr - f->place.offset + vaddr)
			return true;
	}
	return false;
}

/* All rets inside the function itself, and as many as are planned or fewer: others are in parts of it elsewhere. */
static void assert_rets(const struct plan *p, const struct planned_fn *f)
{
	char command[512], line[256], *end;
	uint64_t vaddr;
	size_t n = 0;
	FILE *out;

	snprintf(command, sizeof(command), "objdump -d --no-show-raw-insn --start-address=%#lx --stop-address=%#lx %s",
		 (long)f->vaddr, (long)(f->vaddr + f->size), p->module->path);
	out = popen(command, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out)) {
		vaddr = strtoull(line, &end, 16);
		if (end == line || *end != ':' || !strstr(end, "\tret"))
			continue;
		n++;
		if (!is_planned_ret(f, vaddr))
			fail_msg("%s: not planned: %s", f->fn->name, line);
	}
	assert_int_equal(pclose(out), 0);
	assert_true(n <= f->rets.list.n);
}

/* Each function is planned once, or left out with a reason; none is watched by what could kill. */
static void check_plan(const struct plan *p, bool no_return_probes)
{
	const struct unplanned_fn *u;
	const struct planned_fn *f;

	vec__each (&p->fns, f) {
		if (f->fn->op == LT_OP_FREE || family_fn__ends_pool(f->fn))
			assert_int_equal(f->returns, PLAN_RETURN_NONE);
		else if (f->fn->throws || no_return_probes)
			assert_int_equal(f->returns, PLAN_RETURN_INSNS);
		else
			assert_int_equal(f->returns, PLAN_RETURN_PROBE);
		if (f->returns == PLAN_RETURN_INSNS)
			assert_rets(p, f);
		else
			assert_int_equal(f->rets.list.n, 0);
		if (f->returns == PLAN_RETURN_PROBE)
			assert_int_equal(f->place.sp_offset, 0);
	}
	vec__each (&p->left_out, u) {
		assert_int_not_equal(u->fn->op, LT_OP_FREE);
		assert_false(u->counted_below);
		assert_true(u->fn->throws || no_return_probes);
		assert_true(strlen(u->why.text) > 10);
	}
	vec__each (&p->left_out, u)
		assert_null(find_planned(p, u->fn));
}

/* 0 where the file is not there or has no such family. */
static size_t check_library(const char *path, bool no_return_probes)
{
	const struct plan_request r = {
		.families = all_families,
		.with_callers = true,
		.no_return_probes = no_return_probes,
	};
	struct module m;
	size_t n = 0;
	struct plan p;
	struct err e;
	int err;

	if (access(path, R_OK))
		return 0;
	m = open_module(path);
	err = plan__make(&p, &m, &r, &e);
	if (!err) {
		check_plan(&p, no_return_probes);
		n = p.fns.n + p.left_out.n;
	} else if (err != -ENOENT && err != -ENOTSUP) {
		fail_msg("%s: %s", path, e.text);
	}
	plan__free(&p);
	close_module(&m);
	return n;
}

static void new_throws(void **state)
{
	const struct plan_request r = {.families = cxx_only, .with_callers = true};
	const char *path = LIB "libstdc++.so.6";
	unsigned int i, thrown = 0;
	struct module m;
	struct plan p;
	struct err e;

	(void)state;
	if (access(path, R_OK)) {
		print_message("SKIPPED %s: no %s on this machine\n", __func__, path);
		skip();
	}
	m = open_module(path);
	assert_int_equal(plan__make(&p, &m, &r, &e), 0);
	for (i = 0; i < family_cxx.n; i++) {
		const struct family_fn *fn = &family_cxx.fns[i];
		const struct planned_fn *f = find_planned(&p, fn);

		/* It has all of the standard's, none of them an alias. */
		if (!strstr(fn->name, "hot_cold") && !f && !find_left_out(&p, fn))
			fail_msg("%s is neither planned nor left out", fn->name);
		if (f && fn->throws)
			assert_int_equal(f->returns, PLAN_RETURN_INSNS);
		thrown += f && fn->throws;
	}
	/* operator new itself can be hooked so. */
	assert_true(thrown >= 1);
	assert_non_null(find_planned(&p, family__find(&family_cxx, "_Znwm")));
	plan__free(&p);
	close_module(&m);
}

static void all_libraries(void **state)
{
	static const char *const paths[] = {"/lib/x86_64-linux-gnu/libc.so.6",
					    "/lib/ld-musl-x86_64.so.1",
					    LIB "libstdc++.so.6",
					    LIB "libjemalloc.so.2",
					    LIB "libtcmalloc.so.4",
					    LIB "libtcmalloc_minimal.so.4",
					    LIB "libmimalloc.so.2",
					    LIB "libmimalloc.so.3"};
	size_t i, n = 0;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		n += check_library(paths[i], false);
		n += check_library(paths[i], true);
	}
	assert_true(n >= 10);
}

static bool is_argument(uint8_t arg)
{
	return arg <= 4 || arg == LT_NO_ARG;
}

static void check_entry(const struct family *f, unsigned int i)
{
	const struct family_fn *fn = &f->fns[i];
	unsigned int k;

	assert_ptr_equal(family__find(f, fn->name), fn);
	for (k = 0; k < i; k++)
		assert_string_not_equal(f->fns[k].name, fn->name);
	/* Those that release come first: a block that is gone must not stay because they were attached last. */
	assert_true(!i || fn->op != LT_OP_FREE || fn[-1].op == LT_OP_FREE);
	assert_in_range(fn->op, LT_OP_ALLOC, LT_OP_DISSOLVE);
	assert_int_equal(family_fn__ends_pool(fn), fn->op == LT_OP_RESET || fn->op == LT_OP_DISSOLVE);
	if (family_fn__ends_pool(fn)) {
		assert_int_equal(fn->pool_arg, 0);
		return;
	}
	assert_true(is_argument(fn->size_arg) && is_argument(fn->count_arg) && is_argument(fn->ptr_arg));
	assert_int_equal(fn->ptr_arg != LT_NO_ARG, fn->op != LT_OP_ALLOC);
	assert_int_equal(fn->size_arg != LT_NO_ARG, fn->op != LT_OP_FREE);
	assert_true(fn->count_arg == LT_NO_ARG || fn->size_arg != LT_NO_ARG);
	assert_true(fn->size_arg == LT_NO_ARG || (fn->size_arg != fn->count_arg && fn->size_arg != fn->ptr_arg));
	assert_true(fn->count_arg == LT_NO_ARG || fn->count_arg != fn->ptr_arg);
	if (fn->throws)
		assert_true(fn->op == LT_OP_ALLOC || fn->op == LT_OP_REALLOC);
	/* A nothrow form returns NULL instead. */
	assert_false(fn->throws && strstr(fn->name, "nothrow"));
	assert_true(strlen(family_fn__shown(fn)) > 0);
}

static void tables(void **state)
{
	size_t k;

	(void)state;
	for (k = 0; all_families[k]; k++) {
		const struct family *f = all_families[k];
		unsigned int i;

		assert_ptr_equal(family__named(f->name), f);
		assert_true(f->n > 0 && f->n < LT_MAX_FUNCTIONS);
		for (i = 0; i < f->n; i++)
			check_entry(f, i);
	}
	assert_null(family__named("hoard"));
	assert_null(family__named(""));
}

/* All C++ forms that can throw do. */
static void what_throws(void **state)
{
	static const char *const thrown[] = {"_Znwm", "_Znam", "_ZnwmSt11align_val_t", "_ZnamSt11align_val_t"};
	static const char *const kept[] = {"_ZnwmRKSt9nothrow_t", "_ZnamSt11align_val_tRKSt9nothrow_t", "_ZdlPv",
					   "_ZdaPvm"};
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		assert_true(family__find(&family_cxx, thrown[i])->throws);
		assert_false(family__find(&family_cxx, kept[i])->throws);
	}
	assert_string_equal(family_fn__shown(family__find(&family_cxx, "_Znwm")), "operator new");
	assert_string_equal(family_fn__shown(family__find(&family_cxx, "_ZdaPv")), "operator delete[]");
	assert_string_equal(family_fn__shown(family__find(&family_libc, "malloc")), "malloc");
	assert_true(family__find(&family_mimalloc, "mi_new")->throws);
	assert_true(family__find(&family_tcmalloc, "tc_newarray_aligned")->throws);
}

static void pools(void **state)
{
	const struct family *f = &family_mimalloc;

	(void)state;
	assert_true(family__has_pools(f, family__find(f, "mi_heap_malloc")));
	assert_true(family__has_pools(f, family__find(f, "mi_heap_destroy")));
	assert_false(family__has_pools(f, family__find(f, "mi_malloc")));
	assert_false(family__has_pools(&family_libc, family__find(&family_libc, "malloc")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_throws),  cmocka_unit_test(all_libraries), cmocka_unit_test(tables),
		cmocka_unit_test(what_throws), cmocka_unit_test(pools),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
