/* SPDX-License-Identifier: GPL-2.0-only */
/* Which allocators a file has, whose malloc it is, what only calls another, and which code is an allocator's own. */
#include <errno.h>

#include "plan_families.h"
#include "symbolizer_fixture.h"

#define BEGIN(name) ".globl " name "\n.type " name ", @function\n" name ":\n.cfi_startproc\n"
#define END(name)   ".cfi_endproc\n.size " name ", . - " name "\n"
/* A function that is hooked, whatever it does. */
#define FN(name) BEGIN(name) "push %rbp\npop %rbp\nret\n" END(name)

static struct module module;
static struct plan plan;

/* Families end with NULL. Returns what plan__make() does. */
static int make_plan(const char *source, const char *flags, const struct family *const *families)
{
	const struct plan_request r = {.families = families};
	struct err e = {};

	write_source("lib.s", source);
	run("gcc -nostdlib -shared %s lib.s -o lib.so", flags);
	module = open_module("lib.so");
	return plan__make(&plan, &module, &r, &e);
}

static void end_plan(void)
{
	plan__free(&plan);
	close_module(&module);
}

/* "FAMILY:NAME FAMILY:NAME ...", in the order of the plan. */
static void assert_planned(const char *want)
{
	const struct planned_fn *f;
	char text[1024] = "";
	size_t n = 0;

	vec__each (&plan.fns, f)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s:%s", n ? " " : "", f->family->name, f->name);
	assert_string_equal(text, want);
}

static void assert_plan(const char *source, const char *want)
{
	assert_int_equal(make_plan(source, "", all_families), *want ? 0 : -ENOENT);
	assert_planned(want);
	end_plan();
}

static void jemalloc_by_any_prefix(void **state)
{
	(void)state;
	/* Whole. */
	assert_plan(".text\n" FN("my_mallocx") FN("my_mallctl") FN("my_malloc") FN("my_free") FN("my_xallocx"),
		    "jemalloc:my_free jemalloc:my_xallocx jemalloc:my_mallocx jemalloc:my_malloc");
	/* What is not called is gone. */
	assert_plan(".text\n" FN("_rjem_mallocx") FN("_rjem_sdallocx") FN("_rjem_je_arena_boot"),
		    "jemalloc:_rjem_sdallocx jemalloc:_rjem_mallocx");
	/* Without a prefix malloc is its, too. */
	assert_plan(".text\n" FN("mallocx") FN("je_arena_boot") FN("malloc") FN("free"),
		    "jemalloc:free jemalloc:malloc jemalloc:mallocx");
	/* Two of them. */
	assert_plan(".text\n" FN("a_mallocx") FN("a_mallctl") FN("b_mallocx") FN("b_mallctl"),
		    "jemalloc:a_mallocx jemalloc:b_mallocx");
	/* Functions that call an allocator elsewhere, and are named like it. */
	assert_plan(".text\n" FN("my_mallocx") FN("my_dallocx") FN("my_malloc") FN("my_free") FN("mallctl"), "");
}

static void whose_malloc(void **state)
{
	(void)state;
	assert_plan(".text\n" FN("malloc") FN("free"), "malloc:free malloc:malloc");
	assert_plan(".text\n.globl malloc\n.type malloc, @function\n.set malloc, tc_malloc\n" FN("tc_malloc") FN("free")
			    FN("tc_new_nothrow"),
		    "tcmalloc:free tcmalloc:malloc tcmalloc:tc_new_nothrow");
	/* mimalloc overrides it, or leaves it alone. */
	assert_plan(".text\n.globl malloc\n.type malloc, @function\n.set malloc, mi_malloc\n" FN("mi_malloc")
			    FN("free"),
		    "mimalloc:free mimalloc:malloc");
	assert_plan(".text\n" FN("mi_malloc") FN("mi_free") FN("malloc") FN("free"),
		    "malloc:free mimalloc:mi_free malloc:malloc mimalloc:mi_malloc");
	/* Not both: something else has that name. */
	assert_plan(".text\n" FN("malloc"), "");
}

static const struct unplanned_fn *left_out(const char *symbol)
{
	const struct unplanned_fn *u;

	vec__each (&plan.left_out, u) {
		if (!strcmp(u->fn->name, symbol))
			return u;
	}
	fail_msg("%s is not left out", symbol);
	return NULL;
}

#define CXX_CALLERS                                                                                                    \
	BEGIN("_Znwm")                                                                                                 \
	"push %rbx\n1: call malloc@plt\ntest %rax, %rax\nje 1b\npop %rbx\nret\n" END(                                  \
		"_Znwm") /* By the global offset table, and by another form. */                                        \
		BEGIN("_ZnwmRKSt9nothrow_t") "sub $8, %rsp\ncall *malloc@GOTPCREL(%rip)\nadd $8, %rsp\nret\n" END(     \
			"_ZnwmRKSt9nothrow_t") BEGIN("_Znam") "jmp _Znwm@plt\n" END("_Znam")                           \
			BEGIN("_ZdlPv") "jmp free@plt\n" END("_ZdlPv")                                                 \
				BEGIN("_ZdaPv") "jmp *free@GOTPCREL(%rip)\n" END("_ZdaPv")

/* As libstdc++ is. */
static void only_callers(void **state)
{
	const struct unplanned_fn *u;
	char text[256];

	(void)state;
	assert_int_equal(make_plan(".text\n" CXX_CALLERS, "", all_families), 0);
	assert_planned("");
	assert_int_equal(plan.left_out.n, 5);
	vec__each (&plan.left_out, u)
		assert_true(u->counted_below);
	assert_string_equal(left_out("_Znam")->why.text, "it calls operator new, where it is counted");
	assert_true(plan__word_counted_below(&plan, text, sizeof(text)));
	assert_string_equal(text,
			    "operator delete, operator delete[], operator new, operator new[] (5 functions): they "
			    "only call what is hooked");
	end_plan();
}

/* A fast path of their own, or an allocator of another kind below. */
static void more_than_callers(void **state)
{
	(void)state;
	assert_plan(".text\n" BEGIN("_Znwm") "push %rbx\ncmp $64, %rdi\njb 1f\ncall malloc@plt\n1: pop %rbx\nret\n" END(
			    "_Znwm") BEGIN("_ZdlPv") "push %rbx\ntest %rdi, %rdi\nje 1f\ncall free@plt\n1: pop "
						     "%rbx\nret\n" END("_ZdlPv"),
		    "c++:operator delete c++:operator new");
	assert_plan(".text\n" BEGIN("_Znwm") "push %rbx\ncall mine@plt\npop %rbx\nret\n" END("_Znwm")
			    BEGIN("_ZdlPv") "push %rbx\ncall malloc@plt\npop %rbx\nret\n" END("_ZdlPv"),
		    "c++:operator delete c++:operator new");
}

/* What it calls is left out itself. */
static void caller_of_what_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(make_plan(".text\n" FN("_ZdlPv") BEGIN("_Znwm") "jmp *%rax\n" END("_Znwm")
					   BEGIN("_Znam") "jmp _Znwm\n" END("_Znam"),
				   "-Wl,-Bsymbolic", all_families),
			 0);
	assert_planned("c++:operator delete");
	assert_false(left_out("_Znwm")->counted_below);
	assert_false(left_out("_Znam")->counted_below);
	assert_string_equal(left_out("_Znam")->why.text, "it calls operator new, which is not hooked");
	end_plan();
}

static bool is_inner(const char *symbol)
{
	const struct planned_fn *f;
	uint32_t i;

	vec__each (&plan.fns, f) {
		if (strcmp(f->fn->name, symbol))
			continue;
		for (i = 0; i < plan.internal.n; i++) {
			if (f->vaddr >= plan.internal.ranges[i].start && f->vaddr < plan.internal.ranges[i].end)
				return true;
		}
	}
	return false;
}

/* Padding joins two functions to one range; a small function between them does not. */
static void inner_code(void **state)
{
	(void)state;
	assert_int_equal(make_plan(".text\n" FN("malloc") ".p2align 5\n" FN("free"), "", all_families), 0);
	assert_int_equal(plan.internal.n, 1);
	assert_int_equal(plan.internal.ranges[0].end - plan.internal.ranges[0].start, 32 + 3);
	end_plan();
	assert_int_equal(
		make_plan(".text\n" FN("malloc") "call malloc\nret\n" FN("free"), "-Wl,-Bsymbolic", all_families), 0);
	assert_int_equal(plan.internal.n, 2);
	assert_true(is_inner("malloc") && is_inner("free"));
	end_plan();
}

/* In an allocator's own library all code is its own, but for what is left out: the calls of that count. */
static void library_of_an_allocator(void **state)
{
	static const char source[] = ".text\n" FN("mallocx") FN("mallctl") FN("malloc")
		BEGIN("_Znwm") "call malloc\njmp *%rax\n" END("_Znwm") FN("free") ".space 4000, 0x90\n";
	uint64_t size = 0;
	uint32_t i;

	(void)state;
	assert_int_equal(make_plan(source, "-Wl,-Bsymbolic -Wl,-soname,libjemalloc.so.9", all_families), 0);
	assert_planned("jemalloc:free jemalloc:malloc jemalloc:mallocx");
	assert_int_equal(plan.internal.n, 2);
	for (i = 0; i < plan.internal.n; i++)
		size += plan.internal.ranges[i].end - plan.internal.ranges[i].start;
	/* Not what lies behind it in memory, which is another library's. */
	assert_in_range(size, 4000, 4095);
	end_plan();
	assert_int_equal(make_plan(source, "-Wl,-Bsymbolic -Wl,-soname,libserver.so", all_families), 0);
	assert_true(plan.internal.n && plan.internal.ranges[0].end - plan.internal.ranges[0].start < 100);
	end_plan();
}

static const struct family_fn given_fns[] = {
	{.name = "pool_*free", .op = LT_OP_FREE, .size_arg = LT_NO_ARG, .count_arg = LT_NO_ARG, .pool_arg = LT_NO_ARG},
	{.name = "pool_reset", .op = LT_OP_RESET, .size_arg = LT_NO_ARG, .count_arg = LT_NO_ARG, .ptr_arg = LT_NO_ARG},
	{.name = "pool_[ac]*", .op = LT_OP_ALLOC, .size_arg = 1, .count_arg = LT_NO_ARG, .ptr_arg = LT_NO_ARG},
	{.name = "malloc",
	 .op = LT_OP_ALLOC,
	 .size_arg = 0,
	 .count_arg = LT_NO_ARG,
	 .ptr_arg = LT_NO_ARG,
	 .throws = true},
};

/* By globs; and the user's word for a function that is known comes first. */
static void given(void **state)
{
	static const struct family pool = {.name = "pool", .fns = given_fns, .n = 4, .given = true};
	const struct family *const families[] = {&family_malloc, &pool, NULL};
	const struct planned_fn *f;

	(void)state;
	assert_int_equal(make_plan(".text\n" FN("pool_free") FN("pool_unfree") FN("pool_reset") FN("pool_alloc")
					   FN("pool_calloc") FN("pool_other") FN("malloc") FN("free"),
				   "", families),
			 0);
	assert_planned("pool:pool_free pool:pool_unfree pool:pool_reset malloc:free pool:pool_alloc pool:pool_calloc "
		       "pool:malloc");
	vec__each (&plan.fns, f) {
		if (!strcmp(f->name, "malloc"))
			assert_int_equal(f->returns, PLAN_RETURN_INSNS);
	}
	end_plan();
}

static uint64_t symbol_address(const char *name)
{
	unsigned long address = 0;
	char command[256];
	FILE *out;

	snprintf(command, sizeof(command), "nm %s/lib.so | grep ' T %s$'", dir, name);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%lx", &address), 1);
	assert_int_equal(pclose(out), 0);
	return address;
}

/* Where there are no symbols. What is not code is said so. */
static void given_by_address(void **state)
{
	static struct family_fn fns[] = {
		{.name = "lib.so+0x1",
		 .op = LT_OP_FREE,
		 .module = "lib.so",
		 .size_arg = LT_NO_ARG,
		 .count_arg = LT_NO_ARG},
		{.name = "lib.so+0x2",
		 .op = LT_OP_ALLOC,
		 .module = "lib.so",
		 .count_arg = LT_NO_ARG,
		 .ptr_arg = LT_NO_ARG},
		{.name = "other.so+0x3", .op = LT_OP_ALLOC, .module = "other.so", .count_arg = LT_NO_ARG},
	};
	static const struct family pool = {.name = "pool", .fns = fns, .n = 3, .given = true};
	const struct family *const families[] = {&pool, NULL};

	(void)state;
	write_source("lib.s", ".text\n" FN("first") FN("second"));
	run("gcc -nostdlib -shared lib.s -o lib.so");
	fns[0].vaddr = symbol_address("first");
	fns[1].vaddr = symbol_address("second");
	assert_int_equal(make_plan(".text\n" FN("first") FN("second"), "-s", families), 0);
	assert_planned("pool:lib.so+0x1 pool:lib.so+0x2");
	assert_int_equal(plan.fns.at[1].size, 3);
	end_plan();
	/* A static program has no index of its unwind information. */
	assert_int_equal(make_plan(".text\n" FN("first") FN("second"), "-s -Wl,--no-eh-frame-hdr", families), 0);
	assert_planned("pool:lib.so+0x1 pool:lib.so+0x2");
	assert_int_equal(plan.fns.at[1].size, 3);
	end_plan();
	fns[1].vaddr++;
	assert_int_equal(make_plan(".text\n" FN("first") FN("second"), "-s -Wl,--no-eh-frame-hdr", families), 0);
	assert_planned("pool:lib.so+0x1");
	assert_non_null(strstr(plan.left_out.at[0].why.text, "no function begins at"));
	end_plan();
	fns[1].vaddr = 0x10000000;
	assert_int_equal(make_plan(".text\n" FN("first") FN("second"), "-s", families), 0);
	assert_planned("pool:lib.so+0x1");
	assert_non_null(strstr(plan.left_out.at[0].why.text, "no code"));
	end_plan();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jemalloc_by_any_prefix),
		cmocka_unit_test(whose_malloc),
		cmocka_unit_test(only_callers),
		cmocka_unit_test(more_than_callers),
		cmocka_unit_test(caller_of_what_is_left_out),
		cmocka_unit_test(inner_code),
		cmocka_unit_test(library_of_an_allocator),
		cmocka_unit_test(given),
		cmocka_unit_test(given_by_address),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
