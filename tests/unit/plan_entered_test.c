/* SPDX-License-Identifier: GPL-2.0-only */
/* What is planned for small libraries written for it: what enters a function behind its entry, where it ends. */
#include <errno.h>
#include <time.h>

#include "plan_families.h"
#include "symbolizer_fixture.h"

/* A function with unwind information; one without. */
#define BEGIN(name) ".globl " name "\n.type " name ", @function\n" name ":\n.cfi_startproc\n"
#define END(name)   ".cfi_endproc\n.size " name ", . - " name "\n"
#define BARE(name)  ".globl " name "\n.type " name ", @function\n" name ":\n"
#define SIZE(name)  ".size " name ", . - " name "\n"

/* A library needs both to be taken for a libc. */
#define FREE_S BEGIN("free") "endbr64\npush %rbp\npop %rbp\nret\n" END("free")
#define MALLOC_S                                                                                                       \
	BEGIN("malloc")                                                                                                \
	"endbr64\npush %rbp\npop %rbp\nret\n" END("malloc")

static struct module module;

static void make_plan(struct plan *p, const char *source, bool no_return_probes)
{
	const struct plan_request r = {.families = libc_only, .no_return_probes = no_return_probes};
	struct err e = {};

	write_source("lib.s", source);
	run("gcc -nostdlib -shared -Wl,-Bsymbolic -Wl,-soname,libc.test.so.1 lib.s -o lib.so && strip lib.so");
	module = open_module("lib.so");
	if (plan__make(p, &module, &r, &e))
		fail_msg("%s", e.text);
}

static void end_plan(struct plan *p)
{
	plan__free(p);
	close_module(&module);
}

static const struct planned_fn *planned(const struct plan *p, const char *name)
{
	const struct planned_fn *f;

	vec__each (&p->fns, f) {
		if (!strcmp(f->fn->name, name))
			return f;
	}
	fail_msg("%s is not planned", name);
	return NULL;
}

static const char *why_left_out(const struct plan *p, const char *name)
{
	const struct unplanned_fn *f;

	vec__each (&p->left_out, f) {
		if (!strcmp(f->fn->name, name))
			return f->why.text;
	}
	fail_msg("%s is not left out", name);
	return NULL;
}

/* Where malloc is probed in a library of this source and free(). */
static void assert_place(const char *source, uint32_t offset, enum place_why why)
{
	char all[4096];
	struct plan p;

	snprintf(all, sizeof(all), "%s%s", ".text\n" FREE_S, source);
	make_plan(&p, all, false);
	if (planned(&p, "malloc")->place.offset != offset || planned(&p, "malloc")->place.why != why)
		fail_msg("+0x%x, %s:\n%s", planned(&p, "malloc")->place.offset,
			 place__reason(planned(&p, "malloc")->place.why), source);
	assert_int_equal(planned(&p, "free")->place.offset, 4);
	end_plan(&p);
}

static void symbols_inside(void **state)
{
	(void)state;
	assert_place(MALLOC_S, 4, PLACE_FIRST);
	/* At the chosen instruction, before it, behind it, and at the entry: an alias. */
	assert_place(BEGIN("malloc") "endbr64\n" BARE("inner") "push %rbp\npop %rbp\nret\n" END("malloc"), 0,
		     PLACE_ENTERED);
	assert_place(BEGIN("malloc") "endbr64\nlea 8(%rdi), %rax\n" BARE("inner") "lea 1(%rax), %rax\npush %rbp\n"
										  "pop %rbp\nret\n" END("malloc"),
		     0, PLACE_ENTERED);
	assert_place(BEGIN("malloc") "endbr64\npush %rbp\n" BARE("inner") "pop %rbp\nret\n" END("malloc"), 4,
		     PLACE_FIRST);
	assert_place(BARE("inner") MALLOC_S, 4, PLACE_FIRST);
	/* Where it is the entry, nothing is behind it. */
	assert_place(BEGIN("malloc") "push %rbp\n" BARE("inner") "pop %rbp\nret\n" END("malloc"), 0, PLACE_ENTRY);
	/* One of the family's own functions. */
	assert_place(BEGIN("malloc") "endbr64\n" BARE("valloc") "push %rbp\npop %rbp\nret\n" SIZE("valloc")
			     END("malloc"),
		     0, PLACE_ENTERED);
}

static void jumps_from_elsewhere(void **state)
{
	(void)state;
	/* From a part that the compiler has put elsewhere, from any function, and into what is before the place. */
	assert_place(MALLOC_S ".section .text.unlikely, \"ax\"\n.type other.cold, @function\nother.cold:\n"
			      ".cfi_startproc\nxor %eax, %eax\njmp malloc + 4\n.cfi_endproc\n",
		     0, PLACE_ENTERED);
	assert_place(MALLOC_S BEGIN("other") "test %rdi, %rdi\n.byte 0x0f, 0x84\n.long malloc + 4 - . - 4\nret\n" END(
			     "other"),
		     0, PLACE_ENTERED);
	assert_place(MALLOC_S BEGIN("other") "call malloc + 2\nret\n" END("other"), 0, PLACE_ENTERED);
	/* By one byte, as an assembler makes it where it knows the distance. */
	assert_place(MALLOC_S BEGIN("other") "test %rdi, %rdi\nje malloc + 4\nret\n" END("other"), 0, PLACE_ENTERED);
	assert_place(MALLOC_S BARE("other") ".byte 0xe9\n.long malloc + 4 - . - 4\n" SIZE("other"), 0, PLACE_ENTERED);
	/* To the entry and to behind the place. */
	assert_place(MALLOC_S BEGIN("other") "call malloc\njmp malloc + 5\n" END("other"), 4, PLACE_FIRST);
	/* Of its own: the function itself is looked at. */
	assert_place(BEGIN("malloc") "endbr64\npush %rbp\njmp malloc + 4\n" END("malloc"), 0, PLACE_JUMPS_BACK);
}

/* movabs: an operand whose bytes would be a jump. */
#define LOOKS_LIKE_A_JUMP ".byte 0x48, 0xb8, 0xe9\n.long malloc + 4 - . - 4\n.byte 0, 0, 0\nret\n"

static void bytes_that_look_like_jumps(void **state)
{
	time_t start = time(NULL);

	(void)state;
	assert_place(MALLOC_S BEGIN("other") LOOKS_LIKE_A_JUMP END("other"), 4, PLACE_FIRST);
	/* Where its function begins is not known. */
	assert_place(MALLOC_S ".section .text.unlikely, \"ax\"\n" BARE("other") LOOKS_LIKE_A_JUMP SIZE("other"), 0,
		     PLACE_ENTERED);
	/* Not all of it can be decoded. */
	assert_place(MALLOC_S BEGIN("other") ".byte 0x06\n" LOOKS_LIKE_A_JUMP END("other"), 0, PLACE_ENTERED);
	/* So many that it would take minutes to tell: they are believed to be jumps. */
	assert_place(MALLOC_S BEGIN("other") ".rept 20000\n" LOOKS_LIKE_A_JUMP ".endr\n" END("other"), 0,
		     PLACE_ENTERED);
	assert_in_range(time(NULL) - start, 0, 10);
}

static void without_size(void **state)
{
	struct plan p;

	(void)state;
	make_plan(&p,
		  ".text\n" FREE_S BEGIN("malloc") "endbr64\npush %rbp\npop %rbp\nret\n.cfi_endproc\n" BEGIN(
			  "other") "ret\n" END("other"),
		  true);
	/* Its unwind information says. */
	assert_int_equal(planned(&p, "malloc")->size, 7);
	assert_int_equal(planned(&p, "malloc")->place.offset, 4);
	assert_int_equal(planned(&p, "malloc")->returns, PLAN_RETURN_INSNS);
	end_plan(&p);
	/* It has none. */
	make_plan(&p, ".text\n" FREE_S BARE("malloc") "endbr64\npush %rbp\npop %rbp\nret\n", false);
	assert_int_equal(planned(&p, "malloc")->size, 0);
	assert_int_equal(planned(&p, "malloc")->place.why, PLACE_NO_SIZE);
	assert_int_equal(planned(&p, "malloc")->returns, PLAN_RETURN_PROBE);
	end_plan(&p);
	make_plan(&p, ".text\n" FREE_S BARE("malloc") "endbr64\npush %rbp\npop %rbp\nret\n", true);
	assert_non_null(strstr(why_left_out(&p, "malloc"), "no known end"));
	end_plan(&p);
}

static const char returns_s[] = ".text\n" FREE_S MALLOC_S
	/* It ends in a jump to one whose returns are seen. */
	BEGIN("valloc") "endbr64\njmp malloc\n" END("valloc")
	/* To one that is probed, but not there; to another; to what is not known to be one; by a pointer. */
	BEGIN("realloc") "test %rsi, %rsi\nje free\nret\n" END("realloc")
		BEGIN("calloc") "imul %rsi, %rdi\njmp other\n" END("calloc")
			BEGIN("reallocarray") "jmp bare\n" END("reallocarray")
				BEGIN("pvalloc") "jmp *%rax\n" END("pvalloc")
	/* To one that is left out, and to one that is so for that. */
	BEGIN("memalign") "jmp pvalloc\n" END("memalign") BEGIN("aligned_alloc") "jmp memalign\n" END("aligned_alloc")
		BEGIN("other") "ret\n" END("other")
	/* A part of it is elsewhere, and comes back. */
	BEGIN("posix_memalign") "push %rbx\ntest %rdx, %rdx\nje posix_memalign.cold\n1: pop %rbx\nret\n" END(
		"posix_memalign") ".section .text.unlikely, \"ax\"\n.type posix_memalign.cold, "
				  "@function\nposix_memalign.cold:\n"
				  ".cfi_startproc\ntest %rsi, %rsi\njne posix_memalign + 10\npop "
				  "%rbx\nret\n.cfi_endproc\n"
				  ".data\nbare: ret\n";

static void returns(void **state)
{
	const struct planned_fn *f;
	struct plan p;

	(void)state;
	make_plan(&p, returns_s, true);
	vec__each (&p.fns, f)
		assert_int_equal(f->returns, f->fn->op == LT_OP_FREE ? PLAN_RETURN_NONE : PLAN_RETURN_INSNS);
	f = planned(&p, "malloc");
	assert_int_equal(f->rets.list.n, 1);
	assert_int_equal(f->rets.list.at[0] - f->offset, 2);
	assert_int_equal(planned(&p, "valloc")->rets.list.n, 0);
	assert_int_equal(planned(&p, "posix_memalign")->rets.list.n, 2);
	assert_int_equal(planned(&p, "free")->rets.list.n, 0);
	/* The return of free is realloc's, too: whose it is tells the stack pointer. */
	assert_int_equal(planned(&p, "realloc")->rets.list.n, 2);
	assert_int_equal(planned(&p, "calloc")->rets.list.n, 1);
	assert_non_null(strstr(why_left_out(&p, "reallocarray"), "jump to other code"));
	assert_non_null(strstr(why_left_out(&p, "pvalloc"), "jump by a pointer"));
	assert_non_null(strstr(why_left_out(&p, "memalign"), "jump to pvalloc"));
	assert_non_null(strstr(why_left_out(&p, "aligned_alloc"), "jump to memalign"));
	end_plan(&p);
	/* With return probes all of them are watched. */
	make_plan(&p, returns_s, false);
	assert_int_equal(p.left_out.n, 0);
	vec__each (&p.fns, f) {
		assert_int_equal(f->returns, f->fn->op == LT_OP_FREE ? PLAN_RETURN_NONE : PLAN_RETURN_PROBE);
		assert_int_equal(f->rets.list.n, 0);
	}
	end_plan(&p);
}

/* What the BPF side is told: the registers that have the arguments at the place. */
static void registers_of_arguments(void **state)
{
	const struct planned_fn *f;
	struct plan p;

	(void)state;
	make_plan(&p,
		  ".text\n" FREE_S MALLOC_S BEGIN("realloc") "mov %rsi, %rax\nmov %rdi, %rsi\nxor %edi, %edi\n"
							     "push %rbp\npop %rbp\nret\n" END("realloc"),
		  false);
	f = planned(&p, "realloc");
	assert_int_equal(f->place.offset, 8);
	assert_int_equal(plan__register(f, f->fn->ptr_arg), GPR_RSI);
	assert_int_equal(plan__register(f, f->fn->size_arg), GPR_RAX);
	assert_int_equal(plan__register(f, f->fn->count_arg), LT_NO_REG);
	assert_int_equal(plan__register(f, 200), LT_NO_REG);
	end_plan(&p);
}

/* The only instruction of free is the return of both. */
static void ret_that_is_a_place(void **state)
{
	struct plan p;

	(void)state;
	make_plan(&p,
		  ".text\n" BEGIN("free") "ret\n" END("free")
			  MALLOC_S BEGIN("realloc") "test %rsi, %rsi\nje free\nret\n" END("realloc"),
		  true);
	assert_non_null(planned(&p, "free"));
	assert_string_equal(why_left_out(&p, "realloc"), "it returns at the instruction where free is probed");
	end_plan(&p);
}

/* A plan in which nothing is left is none. */
static void nothing_can_be_hooked(void **state)
{
	const struct plan_request r = {.families = cxx_only, .with_callers = true, .no_return_probes = true};
	struct plan p;
	struct err e;

	(void)state;
	write_source("lib.s", ".text\n" BEGIN("_Znwm") "jmp *%rax\n" END("_Znwm"));
	run("gcc -nostdlib -shared lib.s -o lib.so");
	module = open_module("lib.so");
	assert_int_equal(plan__make(&p, &module, &r, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "operator new: it ends in a jump by a pointer"));
	end_plan(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symbols_inside),
		cmocka_unit_test(jumps_from_elsewhere),
		cmocka_unit_test(bytes_that_look_like_jumps),
		cmocka_unit_test(without_size),
		cmocka_unit_test(returns),
		cmocka_unit_test(registers_of_arguments),
		cmocka_unit_test(ret_that_is_a_place),
		cmocka_unit_test(nothing_can_be_hooked),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
