/* SPDX-License-Identifier: GPL-2.0-only */
/* Which return belongs to which entry: nested calls, signal handlers, long jumps out of calls, alternate stacks. */
#include "host_calls.h"

#define SP  0x7ffd00010000ull
#define RET 0x401234ull
#define A   0xa000ull
#define B   0xb000ull
#define C   0xc000ull

static void address_to_return_to(void **how)
{
	struct host_thread *t = host.current;

	(void)how;
	host__poke(SP, RET);
	assert_int_equal(host__return_address(SP), RET);
	/* An address that only looks like a replaced one, with no list and with one. */
	host__poke(SP, 0x401000);
	assert_int_equal(host__return_address(SP), 0x401000);
	host__push_instance(t, 0, SP + 0x40, 0x1111);
	assert_int_equal(host__return_address(SP), 0x401000);
	/* Replaced ones are found by their place, not by their order. */
	host__poke(SP, HOST_TRAMPOLINE);
	host__poke(SP + 0x40, HOST_TRAMPOLINE);
	host__push_instance(t, 0, SP, 0x2222);
	host__push_instance(t, 0, SP - 0x40, 0x3333);
	assert_int_equal(host__return_address(SP), 0x2222);
	assert_int_equal(host__return_address(SP + 0x40), 0x1111);
	host__assert_nothing_lost();
	assert_int_equal(host__return_address(SP + 0x2000), 0);
	host__assert_lost(LT_CNT_READS_FAILED, 1);
}

static void ranges_of_the_allocator(void **how)
{
	struct lt_fn fn = {.vaddr = 0x5000, .module = 3};
	struct lt_module *m = host__module(3);
	u64 bias = 0x7f0000000000, ip = bias + fn.vaddr;
	u32 i;

	(void)how;
	assert_false(host__called_by_allocator(&fn, ip, bias + 0x1000));
	m->n = 2;
	m->ranges[0] = (struct lt_range){0x1000, 0x1100};
	m->ranges[1] = (struct lt_range){0x3000, 0x3001};
	assert_false(host__called_by_allocator(&fn, ip, bias + 0xfff));
	assert_true(host__called_by_allocator(&fn, ip, bias + 0x1000));
	assert_true(host__called_by_allocator(&fn, ip, bias + 0x10ff));
	assert_false(host__called_by_allocator(&fn, ip, bias + 0x1100));
	assert_true(host__called_by_allocator(&fn, ip, bias + 0x3000));
	assert_false(host__called_by_allocator(&fn, ip, bias + 0x3001));
	assert_false(host__called_by_allocator(&fn, ip, 0x1000));
	assert_false(host__called_by_allocator(&fn, ip, 0));
	m->n = LT_MAX_RANGES;
	for (i = 0; i < LT_MAX_RANGES; i++)
		m->ranges[i] = (struct lt_range){0x100 * (u64)i, 0x100 * (u64)i + 1};
	assert_true(host__called_by_allocator(&fn, ip, bias + 0x100 * (LT_MAX_RANGES - 1)));
	assert_false(host__called_by_allocator(&fn, ip, bias + 0x100 * LT_MAX_RANGES));
	fn.module = LT_MAX_MODULES;
	assert_false(host__called_by_allocator(&fn, ip, bias));
}

static u64 level(unsigned int i)
{
	return SP - 0x100 * (u64)i;
}

/* malloc interrupted by a signal whose handler calls malloc, and so on, `depth` deep; all return. */
static void nest(unsigned int depth)
{
	unsigned int i;

	for (i = 0; i < depth; i++)
		host__call(FN_MALLOC, level(i), RET, ARGS(10 + i));
	for (i = depth; i-- > 0;)
		host__return(level(i), A + 0x100 * (u64)i);
}

static void nested_by_signals(void **how)
{
	unsigned int depth, i;
	u64 lost = 0;

	(void)how;
	for (depth = 1; depth <= 2 * LT_PENDING; depth++) {
		nest(depth);
		lost += depth > LT_PENDING ? depth - LT_PENDING : 0;
		host__assert_lost(LT_CNT_RETURNS_UNMATCHED, lost);
		assert_int_equal(host__live().blocks, depth < LT_PENDING ? depth : LT_PENDING);
		assert_int_equal(host__pending(), 0);
		for (i = 0; i < depth; i++)
			host__calls(FN_FREE, SP, RET, ARGS(A + 0x100 * (u64)i), 0);
		host__assert_live(0, 0);
	}
}

/* Two calls wait, evicted at different times, while others come and go; each is counted when it returns. */
static void evicted_twice(void **how)
{
	unsigned int i;

	(void)how;
	for (i = 0; i < 5; i++)
		host__call(FN_MALLOC, level(i), RET, ARGS(1));
	for (i = 5; i-- > 1;)
		host__return(level(i), A + 0x100 * (u64)i);
	for (i = 0; i < 3; i++)
		host__calls(FN_MALLOC, level(1), RET, ARGS(1), B + 0x100 * (u64)i);
	for (i = 1; i < 6; i++)
		host__call(FN_MALLOC, level(i), RET, ARGS(1));
	for (i = 6; i-- > 0;)
		host__return(level(i), C + 0x100 * (u64)i);
	host__assert_lost(LT_CNT_RETURNS_UNMATCHED, 2);
	host__assert_live(4 + 3 + 4, 11);
}

/* What a realloc took from the map goes back when its entry makes room. */
static void evicted_realloc(void **how)
{
	unsigned int i;

	(void)how;
	host__calls(FN_MALLOC, SP, RET, ARGS(100), A);
	host__call(FN_REALLOC, level(0), RET, ARGS(A, 1 << 20));
	for (i = 1; i < 5; i++)
		host__call(FN_MALLOC, level(i), RET, ARGS(1));
	host__assert_live(1, 100);
	for (i = 5; i-- > 1;)
		host__return(level(i), B + 0x100 * (u64)i);
	host__return(level(0), 0);
	host__assert_live(5, 104);
	host__assert_lost(LT_CNT_RETURNS_UNMATCHED, 1);
}

static void left_by_longjmp(void **how)
{
	unsigned int i;

	(void)how;
	for (i = 0; i < 20; i++) {
		host__call(FN_MALLOC, level(i), RET, ARGS(1000));
		host__calls(FN_MALLOC, SP + 0x40, RET, ARGS(10), A + 0x10 * (u64)i);
	}
	host__assert_live(20, 200);
	/* The same calls again, and this time they return. */
	for (i = 20; i-- > 0;)
		host__calls(FN_MALLOC, level(i), RET, ARGS(1), B + 0x10 * (u64)i);
	host__assert_live(40, 220);
	assert_int_equal(host__pending(), 0);
	host__assert_nothing_lost();
}

/* A realloc that was left gives its block back, at the latest when its place on the stack is used again. */
static void realloc_left_by_longjmp(void **how)
{
	(void)how;
	host__join(1, 0);
	host__calls(FN_MALLOC, SP, RET, ARGS(100), A);
	host__call(FN_REALLOC, SP, RET, ARGS(A, 1 << 20));
	host__assert_in_between(0, 0, 1, 100);
	host__calls(FN_MALLOC, SP, RET + 8, ARGS(7), B);
	host__assert_live(2, 107);
	/* Not any more where another thread has got the address: a loss, but the sums agree. */
	host__call(FN_REALLOC, SP, RET, ARGS(A, 1 << 20));
	host__run(1);
	host__calls(FN_MALLOC, SP + 0x100000, RET, ARGS(30), A);
	host__run(0);
	host__calls(FN_MALLOC, SP, RET + 8, ARGS(7), C);
	host__assert_live(3, 44);
	assert_int_equal(host__counter(LT_CNT_BLOCKS_NOT_TRACKED), 1);
	assert_int_equal(host__counter(LT_CNT_BYTES_NOT_TRACKED), 100);
}

/* The allocator's own malloc may stand where a call of the program's was left: its return is not that one's. */
static void nested_call_where_one_was_left(void **how)
{
	(void)how;
	host__calls(FN_MALLOC, SP, RET, ARGS(50), A);
	host__call(FN_MALLOC, SP - 0x40, RET, ARGS(1000));
	host__call(FN_REALLOC, SP, RET, ARGS(A, 200));
	host__calls(FN_MALLOC, SP - 0x40, host__inside(FN_REALLOC), ARGS(200), B);
	host__return(SP, B);
	host__assert_live(1, 200);
	assert_int_equal(host__slot(0)->allocs, 2);
	host__assert_nothing_lost();
}

/* A callback that frees and reallocates by jumps: a realloc that was left must not swallow its frees. */
static void callback_where_a_call_was_left(void **how)
{
	(void)how;
	host__calls(FN_MALLOC, SP, RET + 8, ARGS(100), A);
	host__calls(FN_MALLOC, SP, RET + 8, ARGS(60), B);
	host__call(FN_REALLOC, SP, RET, ARGS(0, 1000));
	host__calls(FN_FREE, SP, RET, ARGS(A), 0);
	host__assert_live(1, 60);
	host__call(FN_MALLOC, SP, RET, ARGS(1000));
	host__calls(FN_REALLOC, SP, RET, ARGS(B, 70), C);
	host__assert_live(1, 70);
	assert_int_equal(host__slot(0)->frees, 2);
	assert_int_equal(host__slot(0)->allocs, 3);
	host__assert_nothing_lost();
}

/* An evicted call that was left, too: its place is used by calls that are not tracked. */
static void evicted_and_left(void **how)
{
	unsigned int i;

	(void)how;
	host_max_size = 5000;
	for (i = 0; i < 5; i++)
		host__call(FN_MALLOC, level(i), RET, ARGS(1000));
	for (i = 0; i < 5; i++)
		host__calls(FN_MALLOC, level(i), RET, ARGS(6000), A);
	host__assert_nothing_lost();
	host__assert_live(0, 0);
}

/* Interrupted in malloc; the handler runs on a stack of its own, above or below, and allocates. */
static void alternate_stack(void **how)
{
	struct host_thread *t = host.current;
	u64 base = SP + 0x100000;

	(void)how;
	t->task.sas_ss_sp = base;
	t->task.sas_ss_size = 0x8000;
	host__calls(FN_MALLOC, base + 0x7000, RET, ARGS(5), A);
	host__assert_live(1, 5);
	t->task.sas_ss_sp = SP - 0x100000;
	host__call(FN_MALLOC, SP, RET, ARGS(10));
	host__calls(FN_MALLOC, SP - 0x100000 + 0x7000, RET, ARGS(20), B);
	host__return(SP, C);
	host__assert_live(3, 35);
	host__assert_nothing_lost();
}

/* Watching the handler's call would make the kernel forget the interrupted one, which then returns into nothing. */
static void alternate_stack_above(void **how)
{
	struct host_thread *t = host.current;
	u64 base = SP + 0x100000;

	(void)how;
	host__calls(FN_MALLOC, SP, RET, ARGS(100), A);
	t->task.sas_ss_sp = base;
	t->task.sas_ss_size = 0x8000;
	host__call(FN_MALLOC, SP, RET, ARGS(10));
	host__call(FN_MALLOC, base + 0x7000, RET, ARGS(20));
	host__call(FN_REALLOC, base + 0x7000, RET, ARGS(A, 20));
	host__calls(FN_FREE, base + 0x7000, RET, ARGS(B), 0);
	host__return(SP, C);
	host__assert_live(1, 10);
	host__assert_lost(LT_CNT_RETURNS_UNSAFE, 2);
	assert_int_equal(host__slot(0)->frees, 2);
	assert_int_equal(host__slot(0)->frees_untracked, 1);
}

/* Its base is the lowest address; the stack pointer of an empty one is its end. */
static void bounds_of_the_alternate_stack(void **how)
{
	struct host_thread *t = host.current;
	u64 base = SP + 0x1000;

	(void)how;
	assert_false(host__return_would_kill(base));
	t->task.sas_ss_sp = base;
	t->task.sas_ss_size = 0x1000;
	assert_false(host__return_would_kill(base + 0x800));
	host__push_instance(t, 0, SP, RET);
	assert_true(host__return_would_kill(base + 0x1000));
	assert_true(host__return_would_kill(base + 8));
	assert_false(host__return_would_kill(base + 0x1008));
	assert_false(host__return_would_kill(SP - 0x100));
	host__pop_instance(t);
	host__push_instance(t, 0, base + 0x900, RET);
	assert_false(host__return_would_kill(base + 0x800));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(address_to_return_to),
		HOST_TEST(ranges_of_the_allocator),
		HOST_TEST(nested_by_signals),
		HOST_TEST(evicted_twice),
		HOST_TEST(evicted_realloc),
		HOST_TEST(left_by_longjmp),
		HOST_TEST(realloc_left_by_longjmp),
		HOST_TEST(nested_call_where_one_was_left),
		HOST_TEST(callback_where_a_call_was_left),
		HOST_TEST(evicted_and_left),
		HOST_TEST(alternate_stack),
		{"alternate_stack_above (session)", alternate_stack_above, host__set_up, host__tear_down,
		 &host_session},
		HOST_TEST(bounds_of_the_alternate_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
