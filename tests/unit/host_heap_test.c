/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted of calls that end as they should or fail, under both ways to be attached. */
#include "host_calls.h"

#define SP  0x7ffd00010000ull
#define RET 0x401234ull
#define A   0xa000ull
#define B   0xb000ull
#define C   0xc000ull
#define D   0xd000ull

static void mallocs(u64 size, u64 address)
{
	host__calls(FN_MALLOC, SP, RET, ARGS(size), address);
}

static void frees(u64 address)
{
	host__calls(FN_FREE, SP, RET, ARGS(address), 0);
}

static void assert_calls(u64 allocs, u64 n_frees, u64 untracked, u64 failed)
{
	const struct lt_slot *s = host__slot(0);

	assert_int_equal(s->allocs, allocs);
	assert_int_equal(s->frees, n_frees);
	assert_int_equal(s->frees_untracked, untracked);
	assert_int_equal(s->failed, failed);
}

static void every_function(void **how)
{
	(void)how;
	mallocs(100, A);
	host__assert_live(1, 100);
	host__calls(FN_CALLOC, SP, RET, ARGS(3, 5), B);
	host__assert_live(2, 115);
	host__calls(FN_ALIGNED_ALLOC, SP, RET, ARGS(64, 200), C);
	host__assert_live(3, 315);
	host__poke(SP + 0x100, D);
	host__calls(FN_POSIX_MEMALIGN, SP, RET, ARGS(SP + 0x100, 64, 50), 0);
	assert_int_equal(host__block(0, D)->size, 50);
	host__assert_live(4, 365);
	host__calls(FN_REALLOC, SP, RET, ARGS(A, 300), 0xe000);
	host__assert_live(4, 565);
	host__calls(FN_REALLOCARRAY, SP, RET, ARGS(B, 4, 10), B);
	host__assert_live(4, 590);
	assert_calls(6, 2, 0, 0);
	assert_int_equal(host__slot(0)->alloc_bytes, 705);
	frees(B);
	host__calls(FN_FREE_SIZED, SP, RET, ARGS(C, 200), 0);
	frees(D);
	frees(0xe000);
	frees(0);
	frees(0x1230);
	host__assert_live(0, 0);
	assert_calls(6, 7, 1, 0);
	host__assert_nothing_lost();
}

static void sites_by_function_and_caller(void **how)
{
	const struct lt_site *s = host__site(0);

	(void)how;
	mallocs(100, A);
	mallocs(10, B);
	host__calls(FN_MALLOC, SP, RET + 16, ARGS(7), C);
	host__calls(FN_CALLOC, SP, RET, ARGS(1, 5), D);
	frees(B);
	assert_int_equal(state.next_site, 3);
	assert_int_equal(host.n_stacks, 3);
	assert_int_equal(s->live_bytes, 100);
	assert_int_equal(s->live_blocks, 1);
	assert_int_equal(s->alloc_bytes, 110);
	assert_int_equal(s->allocs, 2);
	assert_int_equal(s->frees, 1);
	assert_int_equal(s->fn, FN_MALLOC);
	assert_int_equal(host__site(1)->live_bytes, 7);
	assert_int_equal(host__site(2)->fn, FN_CALLOC);
}

static void calls_that_fail(void **how)
{
	(void)how;
	mallocs(1000, 0);
	assert_int_equal(host__site(0)->failed, 1);
	assert_int_equal(host__site(0)->failed_size, 1000);
	host__calls(FN_CALLOC, SP, RET, ARGS(1ull << 40, 1ull << 40), 0);
	assert_int_equal(host__site(1)->failed_size, ~0ull);
	host__calls(FN_CALLOC, SP, RET, ARGS(0, ~0ull), A);
	host__assert_live(1, 0);
	host__calls(FN_POSIX_MEMALIGN, SP, RET, ARGS(SP + 0x100, 64, 50), 12);
	assert_int_equal(host__site(2)->failed_size, 50);
	assert_calls(1, 0, 0, 3);
	host__assert_nothing_lost();
	host__calls(FN_POSIX_MEMALIGN, SP, RET, ARGS(SP + 0x200, 64, 50), 0);
	host__assert_lost(LT_CNT_READS_FAILED, 1);
	host__assert_live(1, 0);
}

/* realloc calls malloc and free, whose return addresses lie in it. */
static void nested_calls_count_once(void **how)
{
	u64 inside = host__inside(FN_REALLOC);

	(void)how;
	mallocs(100, A);
	host__call(FN_REALLOC, SP, RET, ARGS(A, 200));
	host__calls(FN_MALLOC, SP - 0x40, inside, ARGS(200), B);
	host__calls(FN_FREE, SP - 0x40, inside, ARGS(A), 0);
	host__assert_in_between(0, 0, 1, 100);
	host__return(SP, B);
	host__assert_live(1, 200);
	assert_calls(2, 1, 0, 0);
	host__assert_nothing_lost();
}

/* With the return address replaced already when the second function is entered, and with it as it was. */
static void jumps_count_once(enum host_fn from, struct host_args f, enum host_fn to, struct host_args t, u64 result)
{
	int hijacked;

	for (hijacked = 0; hijacked < 2; hijacked++) {
		struct host_sums before = host__live();

		host__call(from, SP, RET, f);
		assert_int_equal(host__peek(SP), HOST_TRAMPOLINE);
		if (!hijacked) {
			host__pop_instance(host.current);
			host__poke(SP, RET);
		}
		host__jump(to, SP, t);
		assert_int_equal(host__pending(), 1);
		if (!hijacked)
			host__push_instance(host.current, from, SP, RET);
		host__poke(SP, HOST_TRAMPOLINE);
		host__return(SP, result);
		assert_int_equal(host__pending(), 0);
		assert_int_equal(host__live().blocks, before.blocks + 1);
		frees(result);
	}
}

static void tail_jumps(void **how)
{
	(void)how;
	jumps_count_once(FN_REALLOC, ARGS(0, 50), FN_MALLOC, ARGS(50), A);
	jumps_count_once(FN_ALIGNED_ALLOC, ARGS(16, 50), FN_MALLOC, ARGS(50), A);
	jumps_count_once(FN_REALLOCARRAY, ARGS(0, 5, 10), FN_REALLOC, ARGS(0, 50), A);
	assert_calls(6, 6, 0, 0);
	mallocs(7, A);
	host__call(FN_REALLOCARRAY, SP, RET, ARGS(A, 5, 10));
	host__jump(FN_REALLOC, SP, ARGS(A, 50));
	host__return(SP, B);
	host__assert_live(1, 50);
	assert_calls(8, 7, 0, 0);
	/* Three in a row. */
	host__call(FN_REALLOCARRAY, SP, RET, ARGS(0, 5, 10));
	host__jump(FN_REALLOC, SP, ARGS(0, 50));
	host__jump(FN_MALLOC, SP, ARGS(50));
	host__return(SP, C);
	host__assert_live(2, 100);
	assert_calls(9, 7, 0, 0);
	/* realloc(p, 0) may end in a jump to free(p). */
	host__call(FN_REALLOC, SP, RET, ARGS(B, 0));
	host__jump(FN_FREE, SP, ARGS(B));
	host__return(SP, 0);
	host__assert_live(1, 50);
	assert_calls(9, 8, 0, 0);
	host__assert_nothing_lost();
}

static void free_sized_jumps_to_free(void **how)
{
	int i;

	(void)how;
	for (i = 0; i < 3; i++) {
		mallocs(10, A);
		host__call(FN_FREE_SIZED, SP, RET, ARGS(A, 10));
		host__jump(FN_FREE, SP, ARGS(A));
		host__return(SP, 0);
	}
	assert_calls(3, 3, 0, 0);
	/* Neither a second pointer nor a second call is taken for the jump. */
	host__call(FN_FREE_SIZED, SP, RET, ARGS(B, 10));
	host__call(FN_FREE, SP, RET, ARGS(C));
	host__call(FN_FREE, SP, RET, ARGS(C));
	assert_calls(3, 6, 3, 0);
	host__assert_live(0, 0);
}

/* An allocator callback as Lua's: free and realloc are jumped to from one function, so they share frame and caller. */
static void callback_that_frees_and_reallocs(void **how)
{
	u64 i;

	(void)how;
	for (i = 1; i <= 5; i++) {
		host__calls(FN_REALLOC, SP, RET, ARGS(0, 100), A);
		frees(A);
		host__calls(FN_REALLOC, SP, RET, ARGS(0, 60), A);
		host__calls(FN_REALLOC, SP, RET, ARGS(A, 70), B);
		frees(B);
		host__calls(FN_FREE_SIZED, SP, RET, ARGS(B), 0);
		host__calls(FN_REALLOC, SP, RET, ARGS(0, 80), B);
		host__calls(FN_FREE_SIZED, SP, RET, ARGS(B), 0);
		host__assert_live(0, 0);
		assert_calls(4 * i, 4 * i, 0, 0);
	}
	host__assert_nothing_lost();
}

static void realloc_that_fails(void **how)
{
	(void)how;
	mallocs(100, A);
	host__call(FN_REALLOC, SP, RET, ARGS(A, 1 << 20));
	host__assert_in_between(0, 0, 1, 100);
	host__return(SP, 0);
	host__assert_live(1, 100);
	assert_calls(1, 0, 0, 1);
	assert_int_equal(host__site(1)->failed_size, 1 << 20);
	frees(A);
	assert_calls(1, 1, 0, 1);
	host__assert_live(0, 0);
}

static void realloc_to_zero(void **how)
{
	(void)how;
	mallocs(100, A);
	host__calls(FN_REALLOC, SP, RET, ARGS(A, 0), 0);
	host__assert_live(0, 0);
	assert_calls(1, 1, 0, 0);
	/* Of a block from before the attach. */
	host__calls(FN_REALLOC, SP, RET, ARGS(B, 0), 0);
	assert_calls(1, 2, 1, 0);
	/* realloc(NULL, 0) is an allocation, and this one failed. */
	host__calls(FN_REALLOC, SP, RET, ARGS(0, 0), 0);
	assert_calls(1, 2, 1, 1);
	/* Where it does not free, a NULL is a failure. */
	mallocs(100, A);
	host__calls(FN_REALLOC_KEEPS, SP, RET, ARGS(A, 0), 0);
	host__assert_live(1, 100);
	host__calls(FN_REALLOC_KEEPS, SP, RET, ARGS(A, 0), B);
	host__assert_live(1, 0);
	host__assert_nothing_lost();
}

static void realloc_of_untracked(void **how)
{
	(void)how;
	host__calls(FN_REALLOC, SP, RET, ARGS(A, 30), B);
	host__assert_live(1, 30);
	assert_calls(1, 1, 1, 0);
	host__calls(FN_REALLOC, SP, RET, ARGS(C, 1 << 20), 0);
	host__assert_live(1, 30);
	assert_calls(1, 1, 1, 1);
}

static void realloc_races_with_another_thread(void **how)
{
	(void)how;
	host__join(1, 0);
	mallocs(100, A);
	host__call(FN_REALLOC, SP, RET, ARGS(A, 200));
	/* The allocator has released A, and the other thread is faster. */
	host__run(1);
	host__calls(FN_MALLOC, SP + 0x100000, RET, ARGS(30), A);
	host__assert_in_between(1, 30, 2, 130);
	host__run(0);
	host__return(SP, B);
	host__assert_live(2, 230);
	assert_int_equal(host__block(0, A)->size, 30);
	host__run(1);
	host__calls(FN_FREE, SP + 0x100000, RET, ARGS(A), 0);
	host__assert_live(1, 200);
	assert_calls(3, 2, 0, 0);
	host__assert_nothing_lost();
}

static void size_filters(void **how)
{
	(void)how;
	host_min_size = 16;
	host_max_size = 1000;
	mallocs(15, A);
	mallocs(16, B);
	mallocs(1000, C);
	mallocs(1001, D);
	host__assert_live(2, 1016);
	assert_int_equal(host__slot(0)->filtered, 2);
	assert_calls(2, 0, 0, 0);
	/* A tracked block that becomes too large, and back: gone, and there again. */
	host__calls(FN_REALLOC, SP, RET, ARGS(C, 2000), C);
	host__assert_live(1, 16);
	host__calls(FN_REALLOC, SP, RET, ARGS(C, 500), C);
	host__assert_live(2, 516);
	/* One that could not become too large stays. */
	host__calls(FN_REALLOC, SP, RET, ARGS(C, 2000), 0);
	host__assert_live(2, 516);
	frees(A);
	frees(B);
	frees(C);
	frees(D);
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(every_function),
		HOST_TEST(sites_by_function_and_caller),
		HOST_TEST(calls_that_fail),
		HOST_TEST(nested_calls_count_once),
		HOST_TEST(tail_jumps),
		HOST_TEST(free_sized_jumps_to_free),
		HOST_TEST(callback_that_frees_and_reallocs),
		HOST_TEST(realloc_that_fails),
		HOST_TEST(realloc_to_zero),
		HOST_TEST(realloc_of_untracked),
		HOST_TEST(realloc_races_with_another_thread),
		HOST_TEST(size_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
