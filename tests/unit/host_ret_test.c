/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions whose returns are seen at their ret instructions: no return probe is ever made for them. */
#include "host_calls.h"

#define SP  0x7ffd00010000ull
#define RET 0x401234ull
#define A   0xa000ull
#define B   0xb000ull
#define C   0xc000ull
#define D   0xd000ull

static u64 level(unsigned int i)
{
	return SP - 0x100 * (u64)i;
}

static void see_all_rets(void)
{
	enum host_fn fn;

	for (fn = 0; fn < FN_COUNT; fn++) {
		if (host__fn(fn).op != LT_OP_FREE)
			host__see_rets(fn);
	}
}

/* A whole call of a function whose rets are probed. The kernel is never asked for its return. */
static void calls(enum host_fn fn, u64 sp, struct host_args args, u64 result)
{
	host__call(fn, sp, RET, args);
	assert_int_equal(host__peek(sp), RET);
	assert_int_equal(host.current->n_instances, 0);
	host__return_from(fn, sp, result);
}

static void assert_calls(u64 allocs, u64 frees, u64 failed)
{
	assert_int_equal(host__slot(0)->allocs, allocs);
	assert_int_equal(host__slot(0)->frees, frees);
	assert_int_equal(host__slot(0)->failed, failed);
}

static void every_function(void **how)
{
	(void)how;
	see_all_rets();
	calls(FN_MALLOC, SP, ARGS(100), A);
	calls(FN_CALLOC, SP, ARGS(3, 5), B);
	calls(FN_ALIGNED_ALLOC, SP, ARGS(64, 200), C);
	host__poke(SP + 0x100, D);
	calls(FN_POSIX_MEMALIGN, SP, ARGS(SP + 0x100, 64, 50), 0);
	assert_int_equal(host__block(0, D)->size, 50);
	host__assert_live(4, 365);
	host__call(FN_REALLOC, SP, RET, ARGS(A, 300));
	host__assert_in_between(3, 265, 4, 365);
	host__return_from(FN_REALLOC, SP, 0xe000);
	calls(FN_REALLOCARRAY, SP, ARGS(B, 4, 10), B);
	host__assert_live(4, 590);
	assert_calls(6, 2, 0);
	calls(FN_REALLOC, SP, ARGS(B, 0), 0);
	host__assert_live(3, 550);
	assert_calls(6, 3, 0);
	assert_int_equal(host__pending(), 0);
	host__assert_nothing_lost();
}

static void calls_that_fail(void **how)
{
	(void)how;
	see_all_rets();
	calls(FN_MALLOC, SP, ARGS(1000), 0);
	assert_int_equal(host__site(0)->failed_size, 1000);
	calls(FN_POSIX_MEMALIGN, SP, ARGS(SP + 0x100, 64, 50), 12);
	calls(FN_MALLOC, SP, ARGS(100), A);
	calls(FN_REALLOC, SP, ARGS(A, 1 << 20), 0);
	host__assert_live(1, 100);
	assert_calls(1, 0, 3);
	assert_int_equal(host__pending(), 0);
	host__assert_nothing_lost();
}

/* Only those of one function are; the others have return probes, and they call each other. */
static void nested(void **how)
{
	u64 inside = host__inside(FN_REALLOC);

	(void)how;
	host__see_rets(FN_REALLOC);
	host__calls(FN_MALLOC, SP, RET, ARGS(100), A);
	host__call(FN_REALLOC, SP, RET, ARGS(A, 200));
	host__calls(FN_MALLOC, SP - 0x40, inside, ARGS(200), B);
	host__calls(FN_FREE, SP - 0x40, inside, ARGS(A), 0);
	/* And realloc itself once more. */
	host__call(FN_REALLOC, SP - 0x40, inside, ARGS(B, 300));
	host__return_from(FN_REALLOC, SP - 0x40, B);
	host__assert_in_between(0, 0, 1, 100);
	host__return_from(FN_REALLOC, SP, B);
	host__assert_live(1, 200);
	assert_calls(2, 1, 0);
	host__assert_nothing_lost();
}

/* Interrupted by signals, whose handlers allocate. */
static void nested_by_signals(void **how)
{
	unsigned int i;

	(void)how;
	see_all_rets();
	for (i = 0; i < LT_PENDING; i++)
		host__call(FN_MALLOC, level(i), RET, ARGS(10 + i));
	for (i = LT_PENDING; i-- > 0;)
		host__return_from(FN_MALLOC, level(i), A + 0x100 * (u64)i);
	for (i = 0; i < LT_PENDING; i++)
		assert_int_equal(host__block(0, A + 0x100 * (u64)i)->size, 10 + i);
	host__assert_nothing_lost();
}

/* The one that was jumped to has the ret. What counts is the call: its size, its site, once. */
static void tail_jumps(void **how)
{
	(void)how;
	see_all_rets();
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 200));
	host__jump(FN_MALLOC, SP, ARGS(216));
	host__return_from(FN_MALLOC, SP, A);
	host__assert_live(1, 200);
	assert_int_equal(host__site(0)->fn, FN_ALIGNED_ALLOC);
	assert_int_equal(state.next_site, 1);
	/* By one more, and back to its own ret. */
	host__call(FN_REALLOCARRAY, SP, RET, ARGS(A, 3, 100));
	host__jump(FN_REALLOC, SP, ARGS(A, 300));
	host__jump(FN_MALLOC, SP, ARGS(300));
	host__return_from(FN_MALLOC, SP, B);
	host__assert_live(1, 300);
	calls(FN_MALLOC, SP, ARGS(7), C);
	assert_calls(3, 1, 0);
	/* realloc(p, 0), by free(), whose returns are not looked at. */
	host__call(FN_REALLOC, SP, RET, ARGS(B, 0));
	host__jump(FN_FREE, SP, ARGS(B));
	assert_int_equal(host__pending(), 1);
	host__return_from(FN_REALLOC, SP, 0);
	host__assert_live(1, 7);
	assert_int_equal(host__pending(), 0);
	host__assert_nothing_lost();
}

/* A jump within a nested call: its ret fires below, at a stack pointer that is not the outer one's. */
static void rets_of_other_frames(void **how)
{
	(void)how;
	see_all_rets();
	host__call(FN_MALLOC, SP, RET, ARGS(100));
	host__at_ret(FN_MALLOC, SP - 0x40, B);
	host__at_ret(FN_CALLOC, SP + 8, B);
	assert_int_equal(host__pending(), 1);
	host__assert_live(0, 0);
	host__return_from(FN_MALLOC, SP, A);
	host__assert_live(1, 100);
	/* Once: the same ret again is nobody's. */
	host__at_ret(FN_MALLOC, SP, A);
	host__assert_live(1, 100);
	assert_calls(1, 0, 0);
	host__assert_nothing_lost();
}

/* A ret that is seen of a call that was not: it began before the attach, or in a thread that never called. */
static void ret_without_entry(void **how)
{
	(void)how;
	see_all_rets();
	host__poke(SP, RET);
	host__at_ret(FN_MALLOC, SP, A);
	assert_false(host.current->has_state);
	calls(FN_MALLOC, SP, ARGS(8), B);
	host__at_ret(FN_MALLOC, SP - 0x100, A);
	host__at_ret(FN_POSIX_MEMALIGN, SP, 0);
	host__assert_live(1, 8);
	host__assert_nothing_lost();
}

/* A call with a return probe is not taken for one without, though they share the stack pointer. */
static void return_probes_beside_rets(void **how)
{
	(void)how;
	host__see_rets(FN_MALLOC);
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 200));
	host__jump(FN_MALLOC, SP, ARGS(216));
	host__at_ret(FN_MALLOC, SP, A);
	assert_int_equal(host__pending(), 1);
	host__return(SP, A);
	host__assert_live(1, 200);
	assert_calls(1, 0, 0);
	host__assert_nothing_lost();
}

static void left_by_longjmp(void **how)
{
	unsigned int i;

	(void)how;
	see_all_rets();
	for (i = 0; i < 20; i++) {
		host__call(FN_MALLOC, level(i), RET, ARGS(1000));
		host__call(FN_MALLOC, SP + 0x40, RET, ARGS(10));
		host__return_from(FN_MALLOC, SP + 0x40, A + 0x10 * (u64)i);
	}
	host__assert_live(20, 200);
	for (i = 20; i-- > 0;)
		calls(FN_MALLOC, level(i), ARGS(1), B + 0x10 * (u64)i);
	host__assert_live(40, 220);
	/* An exception leaves operator new; a handler of it reallocates in the same frame. */
	host__call(FN_MALLOC, SP, RET, ARGS(1000));
	calls(FN_REALLOC, SP, ARGS(A, 20), A);
	host__assert_live(40, 230);
	host__assert_nothing_lost();
}

static void evicted(void **how)
{
	unsigned int i;

	(void)how;
	see_all_rets();
	for (i = 0; i < LT_PENDING + 2; i++)
		host__call(FN_MALLOC, level(i), RET, ARGS(1));
	for (i = LT_PENDING + 2; i-- > 0;)
		host__return_from(FN_MALLOC, level(i), A + 0x100 * (u64)i);
	host__assert_live(LT_PENDING, LT_PENDING);
	host__assert_lost(LT_CNT_RETURNS_UNMATCHED, 2);
}

/* It had ended in a jump: the ret is another function's, and the loss is counted all the same. */
static void evicted_and_jumped(void **how)
{
	unsigned int i;

	(void)how;
	see_all_rets();
	host__call(FN_ALIGNED_ALLOC, level(0), RET, ARGS(16, 1));
	for (i = 1; i < LT_PENDING + 1; i++)
		host__call(FN_MALLOC, level(i), RET, ARGS(1));
	for (i = LT_PENDING + 1; i-- > 1;)
		host__return_from(FN_MALLOC, level(i), A + 0x100 * (u64)i);
	host__return_from(FN_CALLOC, level(0), B);
	host__assert_live(LT_PENDING, LT_PENDING);
	host__assert_lost(LT_CNT_RETURNS_UNMATCHED, 1);
}

/* Where a return probe would kill, rets do no harm, so the call is counted. */
static void where_return_probes_kill(void **how)
{
	struct host_thread *t = host.current;
	u64 base = SP + 0x100000;

	(void)how;
	host__see_rets(FN_CALLOC);
	t->task.sas_ss_sp = base;
	t->task.sas_ss_size = 0x8000;
	host__call(FN_MALLOC, SP, RET, ARGS(10));
	host__call(FN_CALLOC, base + 0x7000, RET, ARGS(2, 10));
	host__return_from(FN_CALLOC, base + 0x7000, B);
	host__return(SP, A);
	host__assert_live(2, 30);
	/* And where the kernel makes no more of them. */
	t->utask.depth = 64;
	calls(FN_CALLOC, SP, ARGS(1, 5), C);
	t->utask.depth = 0;
	host__assert_live(3, 35);
	host__assert_nothing_lost();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(every_function),
		HOST_TEST(calls_that_fail),
		HOST_TEST(nested),
		HOST_TEST(nested_by_signals),
		HOST_TEST(tail_jumps),
		HOST_TEST(rets_of_other_frames),
		HOST_TEST(ret_without_entry),
		HOST_TEST(return_probes_beside_rets),
		HOST_TEST(left_by_longjmp),
		HOST_TEST(evicted),
		HOST_TEST(evicted_and_jumped),
		{"where_return_probes_kill (session)", where_return_probes_kill, host__set_up, host__tear_down,
		 &host_session},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
