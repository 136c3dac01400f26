/* SPDX-License-Identifier: GPL-2.0-only */
/* Pools whose blocks leave all at once, and blocks that change their size where they are. */
#include "host_calls.h"

#define SP    0x7ffc00001000ull
#define RET   0x400123ull
#define POOL  0x5000
#define OTHER 0x6000
#define A     0x10010
#define B     0x10020
#define C     0x10030

static void pool_alloc(u64 pool, u64 size, u64 address)
{
	host__calls(FN_POOL_ALLOC, SP, RET, ARGS(pool, size), address);
}

static void end_pool(enum host_fn fn, u64 pool)
{
	host__calls(fn, SP, RET, ARGS(pool), 0);
}

static void release(u64 address)
{
	host__calls(FN_FREE, SP, RET, ARGS(address), 0);
}

static void reset_releases_all(void **unused)
{
	(void)unused;
	pool_alloc(POOL, 10, A);
	pool_alloc(POOL, 20, B);
	pool_alloc(POOL, 30, C);
	host__assert_live(3, 60);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(0, 0);
	assert_int_equal(host__slot(0)->frees, 3);
	assert_int_equal(host__slot(0)->frees_untracked, 0);
	assert_int_equal(host__n_entries(&pooled), 0);
	/* Twice is nothing. */
	end_pool(FN_POOL_RESET, POOL);
	assert_int_equal(host__slot(0)->frees, 3);
	host__assert_nothing_lost();
}

static void reset_leaves_other_pools(void **unused)
{
	(void)unused;
	pool_alloc(POOL, 10, A);
	pool_alloc(OTHER, 20, B);
	host__calls(FN_MALLOC, SP, RET, ARGS(30), C);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(2, 50);
	end_pool(FN_POOL_RESET, OTHER);
	host__assert_live(1, 30);
	host__assert_nothing_lost();
}

/* The same addresses again and again, as arenas do. */
static void address_after_reset(void **unused)
{
	int i;

	(void)unused;
	for (i = 0; i < 5; i++) {
		pool_alloc(POOL, 10, A);
		pool_alloc(POOL, 20, B);
		host__assert_live(2, 30);
		end_pool(FN_POOL_RESET, POOL);
		host__assert_live(0, 0);
	}
	host__assert_nothing_lost();
}

static void freed_alone(void **unused)
{
	(void)unused;
	pool_alloc(POOL, 10, A);
	pool_alloc(POOL, 20, B);
	pool_alloc(POOL, 30, C);
	release(B);
	host__assert_live(2, 40);
	pool_alloc(POOL, 21, B);
	release(A);
	host__assert_live(2, 51);
	/* One entry for each address, however often it is handed out. */
	assert_int_equal(host__n_entries(&pooled), 3);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(0, 0);
	assert_int_equal(host__slot(0)->frees, 4);
	host__assert_nothing_lost();
}

/* A block that was freed, and whose address another pool or malloc has handed out since, stays. */
static void address_of_another(void **unused)
{
	(void)unused;
	pool_alloc(POOL, 10, A);
	pool_alloc(POOL, 20, B);
	release(A);
	release(B);
	pool_alloc(OTHER, 11, A);
	host__calls(FN_MALLOC, SP, RET, ARGS(22), B);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(2, 33);
	end_pool(FN_POOL_RESET, OTHER);
	host__assert_live(1, 22);
	host__assert_nothing_lost();
}

static void dissolved_pool_keeps_its_blocks(void **unused)
{
	(void)unused;
	pool_alloc(POOL, 10, A);
	end_pool(FN_POOL_DISSOLVE, POOL);
	host__assert_live(1, 10);
	/* A new pool in the same place does not have the block. */
	pool_alloc(POOL, 20, B);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(1, 10);
	release(A);
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

static void reallocated_in_a_pool(void **unused)
{
	(void)unused;
	pool_alloc(POOL, 10, A);
	host__calls(FN_POOL_REALLOC, SP, RET, ARGS(POOL, A, 50), B);
	host__assert_live(1, 50);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

/* Another process has a pool at the same address. */
static void reset_of_another_process(void **unused)
{
	(void)unused;
	pool_alloc(POOL, 10, A);
	host__run(1);
	pool_alloc(POOL, 20, A);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(1, 10);
	host__run(0);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(0, 0);
}

/* What a reset could not release is not tracked at all, and counted. */
static void full(void **unused)
{
	u32 i;

	(void)unused;
	for (i = 0; i < HOST_BLOCKS; i++) {
		pool_alloc(POOL, 1, A + 16 * i);
		release(A + 16 * i);
	}
	pool_alloc(POOL, 10, C + 16 * i);
	host__assert_live(0, 0);
	assert_int_equal(host__counter(LT_CNT_BLOCKS_NOT_TRACKED), 1);
	assert_int_equal(host__counter(LT_CNT_BYTES_NOT_TRACKED), 10);
	end_pool(FN_POOL_RESET, POOL);
	pool_alloc(POOL, 10, A);
	host__assert_live(1, 10);
}

static void take_first(u64 *word)
{
	(void)word;
	host__run(1);
	pool_alloc(POOL, 7, C);
	host__run(0);
}

/* Two threads allocate from one pool at once. */
static void race(void **unused)
{
	(void)unused;
	host__join(1, 0);
	pool_alloc(POOL, 10, A);
	host__call(FN_POOL_ALLOC, SP, RET, ARGS(POOL, 20));
	host.before_cas = take_first;
	host__return(SP, B);
	host__assert_live(3, 37);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

static void events_of_a_reset(void **unused)
{
	(void)unused;
	host_events = true;
	pool_alloc(POOL, 10, A);
	pool_alloc(POOL, 20, B);
	host.n_events = 0;
	end_pool(FN_POOL_RESET, POOL);
	assert_int_equal(host.n_events, 2);
	assert_int_equal(host.last_event.kind, LT_EVENT_GONE);
	assert_int_equal(host.last_event.size, 10);
}

/* What has another layer than malloc: a pool's first block begins where its chunk does. */
static void block_at_the_start_of_its_chunk(void **unused)
{
	struct lt_fn fn;
	u32 i;

	(void)unused;
	for (i = FN_POOL_ALLOC; i <= FN_POOL_RESET; i++) {
		fn = host__fn(i);
		fn.layer = 1;
		host__change_fn(i, &fn);
	}
	host__calls(FN_MALLOC, SP, RET, ARGS(1000), A);
	pool_alloc(POOL, 10, A);
	host__assert_live(2, 1010);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(1, 1000);
	pool_alloc(POOL, 20, A);
	host__calls(FN_POOL_REALLOC, SP, RET, ARGS(POOL, A, 30), A);
	host__assert_live(2, 1030);
	release(A);
	host__assert_live(1, 30);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

/* Made larger in its place by malloc's realloc, it is still the pool's. */
static void resized_by_another(void **unused)
{
	(void)unused;
	pool_alloc(POOL, 10, A);
	host__calls(FN_REALLOC, SP, RET, ARGS(A, 12), A);
	host__calls(FN_XALLOCX, SP, RET, ARGS(A, 14), 16);
	host__assert_live(1, 14);
	end_pool(FN_POOL_RESET, POOL);
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

static void resized_in_place(void **unused)
{
	(void)unused;
	host__calls(FN_MALLOC, SP, RET, ARGS(10), A);
	host__calls(FN_XALLOCX, SP, RET, ARGS(A, 50, 6), 64);
	host__assert_live(1, 50);
	/* As it was: neither gone nor a failed allocation. */
	host__calls(FN_XALLOCX, SP, RET, ARGS(A, 500, 0), 64);
	host__assert_live(1, 50);
	assert_int_equal(host__slot(0)->failed, 0);
	host__calls(FN_XALLOCX, SP, RET, ARGS(A, 5, 0), 64);
	host__assert_live(1, 5);
	assert_int_equal(host__slot(0)->allocs, 3);
	assert_int_equal(host__slot(0)->frees, 2);
	release(A);
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

/* From before the attach: its size is known from then on. */
static void resized_unknown(void **unused)
{
	(void)unused;
	host__calls(FN_XALLOCX, SP, RET, ARGS(A, 50, 0), 64);
	host__assert_live(1, 50);
	assert_int_equal(host__slot(0)->frees_untracked, 1);
	host__calls(FN_XALLOCX, SP, RET, ARGS(B, 50, 0), 0);
	host__assert_live(1, 50);
	assert_int_equal(host__slot(0)->frees_untracked, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(reset_releases_all),
		HOST_TEST_ONCE(reset_leaves_other_pools),
		HOST_TEST_ONCE(address_after_reset),
		HOST_TEST_ONCE(freed_alone),
		HOST_TEST_ONCE(address_of_another),
		HOST_TEST_ONCE(dissolved_pool_keeps_its_blocks),
		HOST_TEST_ONCE(reallocated_in_a_pool),
		HOST_TEST_ONCE(reset_of_another_process),
		HOST_TEST_ONCE(full),
		HOST_TEST(race),
		HOST_TEST_ONCE(events_of_a_reset),
		HOST_TEST_ONCE(block_at_the_start_of_its_chunk),
		HOST_TEST_ONCE(resized_by_another),
		HOST_TEST(resized_in_place),
		HOST_TEST_ONCE(resized_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
