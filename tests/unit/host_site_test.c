/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums and floors of sites, and what happens at the limits: everything that is not counted is counted as lost. */
#include "host_calls.h"
#include "site.h"

#define SP  0x7ffd00010000ull
#define RET 0x401234ull
#define A   0xa000ull
#define B   0xb000ull

static void mallocs(u64 size, u64 address)
{
	host__calls(FN_MALLOC, SP, RET, ARGS(size), address);
}

static void frees(u64 address)
{
	host__calls(FN_FREE, SP, RET, ARGS(address), 0);
}

/* The floor of a window; -1: nothing happened in it. */
static s64 floor_of(u32 id, u32 window)
{
	u64 word = host__site(id)->floor[window & 1];

	return lt_floor_window(word) == (window & LT_WINDOW_MAX) ? (s64)lt_floor_value(word) : -1;
}

static void floors(void **how)
{
	(void)how;
	mallocs(100, A);
	assert_int_equal(floor_of(0, 1), 0);
	state.window = 2;
	assert_int_equal(floor_of(0, 2), -1);
	mallocs(50, B);
	assert_int_equal(floor_of(0, 2), 100);
	frees(A);
	assert_int_equal(floor_of(0, 2), 50);
	mallocs(1000, A);
	assert_int_equal(floor_of(0, 2), 50);
	assert_int_equal(floor_of(0, 1), 0);
	state.window = 3;
	frees(B);
	assert_int_equal(floor_of(0, 3), 1000);
	assert_int_equal(floor_of(0, 2), 50);
	state.window = 5;
	frees(A);
	assert_int_equal(floor_of(0, 5), 0);
	assert_int_equal(floor_of(0, 3), -1);
	host__assert_nothing_lost();
}

static void floors_saturate(void **how)
{
	struct lt_site *s = host__site(0);

	(void)how;
	site_floor(s, -5);
	assert_int_equal(floor_of(0, 1), 0);
	state.window = 2;
	site_floor(s, (s64)(LT_FLOOR_MAX + 5));
	assert_int_equal(floor_of(0, 2), LT_FLOOR_MAX);
	site_floor(s, LT_FLOOR_MAX - 1);
	assert_int_equal(floor_of(0, 2), LT_FLOOR_MAX - 1);
}

/* As the collector numbers them: after the last number comes 2, and 0 means never. */
static u32 next_window(u32 window)
{
	u32 next = (window + 1) & LT_WINDOW_MAX;

	return next ? next : 2;
}

static void floors_at_every_window_number(void **how)
{
	struct lt_site *busy = host__site(0), *idle = host__site(1), *fresh = host__site(2);
	u32 i;

	(void)how;
	for (i = 0; i < 3 * LT_WINDOW_MAX; i++) {
		site_floor(busy, i);
		site_floor(busy, i + 1);
		assert_int_equal(floor_of(0, state.window), i);
		if (i % 70001 == 0) {
			/* Touched rarely, or for the first time. */
			site_floor(idle, i);
			assert_int_equal(floor_of(1, state.window), i);
			memset(fresh, 0, sizeof(*fresh));
			site_floor(fresh, i);
			assert_int_equal(floor_of(2, state.window), i);
		}
		state.window = next_window(state.window);
	}
	host__assert_nothing_lost();
}

/* Idle for any time, then active again: the old floor is not in the way. */
static void floors_after_a_pause(void **how)
{
	u32 pause;

	(void)how;
	for (pause = 1; pause < LT_WINDOW_MAX - WINDOWS_SLEPT; pause += 997) {
		struct lt_site *s = host__site(3);

		state.window = 7;
		memset(s, 0, sizeof(*s));
		site_floor(s, 100);
		state.window = 7 + pause;
		site_floor(s, 5000);
		assert_int_equal(floor_of(3, state.window), 5000);
	}
}

/* A thread that was not scheduled until its window had ended does not overwrite the floor of a later one. */
static void floor_of_a_sleeper(void **how)
{
	static const u32 windows[] = {7, LT_WINDOW_MAX - 1, LT_WINDOW_MAX};
	struct lt_site *s = host__site(0);
	unsigned int i, later;

	(void)how;
	for (i = 0; i < 3; i++) {
		for (later = 2; later < 10; later += 2) {
			u32 now = windows[i];
			unsigned int w;

			for (w = 0; w < later; w++)
				now = next_window(now);
			memset(s, 0, sizeof(*s));
			state.window = now;
			site_floor(s, 500);
			state.window = windows[i];
			site_floor(s, 3);
			if ((now & 1) == (windows[i] & 1))
				assert_int_equal(floor_of(0, now), 500);
		}
	}
}

static u64 raced_to;

static void lower(u64 *word)
{
	*word = lt_floor_pack(1, raced_to--);
}

static void floor_races(void **how)
{
	struct lt_site *s = host__site(0);

	(void)how;
	site_floor(s, 1000);
	/* Another thread is faster, but this floor is lower still. */
	raced_to = 900;
	host.before_cas = lower;
	site_floor(s, 100);
	assert_int_equal(floor_of(0, 1), 100);
	/* And now it is not. */
	raced_to = 5;
	host.before_cas = lower;
	site_floor(s, 10);
	assert_int_equal(floor_of(0, 1), 5);
	host__assert_nothing_lost();
	/* Again and again: given up, and counted. */
	raced_to = 900;
	host.before_cas = lower;
	host.cas_always = true;
	s->floor[1] = lt_floor_pack(1, 1000);
	site_floor(s, 100);
	host__assert_lost(LT_CNT_FLOORS_MISSED, 1);
}

static void births(void **how)
{
	const struct lt_site *s = host__site(0);
	u32 i;

	(void)how;
	for (i = 0; i < LT_BIRTH_SLOTS; i++)
		state.birth_counter[i] = i / 16;
	mallocs(100, A);
	state.birth = 255;
	mallocs(30, B);
	assert_int_equal(s->birth_bytes[0], 100);
	assert_int_equal(s->birth_bytes[15], 30);
	assert_int_equal(host__block(0, B)->birth, 255);
	frees(A);
	assert_int_equal(s->birth_blocks[0], 0);
	/* The counter of an old slot has changed meanwhile. */
	state.birth_counter[255] = 3;
	frees(B);
	assert_int_equal(s->birth_bytes[3], -30);
	assert_int_equal(s->birth_blocks[3], -1);
	host__assert_live(0, 0);
}

static void block_map_full(void **how)
{
	u64 i;

	(void)how;
	for (i = 0; i < HOST_BLOCKS + 10; i++)
		mallocs(1000 + i, A + 16 * i);
	assert_int_equal(host__live().blocks, HOST_BLOCKS);
	host__assert_live(HOST_BLOCKS, HOST_BLOCKS * 1000 + HOST_BLOCKS * (HOST_BLOCKS - 1) / 2);
	assert_int_equal(host__counter(LT_CNT_BLOCKS_NOT_TRACKED), 10);
	assert_int_equal(host__counter(LT_CNT_BYTES_NOT_TRACKED), 10 * 1000 + 10 * HOST_BLOCKS + 45);
	assert_int_equal(host__slot(0)->allocs, HOST_BLOCKS + 10);
	for (i = 0; i < HOST_BLOCKS + 10; i++)
		frees(A + 16 * i);
	host__assert_live(0, 0);
	assert_int_equal(host__slot(0)->frees, HOST_BLOCKS + 10);
	assert_int_equal(host__slot(0)->frees_untracked, 10);
}

/* The map fills up while a realloc that fails has taken its block out. */
static void block_map_full_at_the_wrong_moment(void **how)
{
	u64 i;

	(void)how;
	for (i = 0; i < HOST_BLOCKS; i++)
		mallocs(10, A + 16 * i);
	host__call(FN_REALLOC, SP, RET, ARGS(A, 1 << 20));
	host__join(1, 0);
	host__run(1);
	host__calls(FN_MALLOC, SP + 0x100000, RET, ARGS(7), 0x9000);
	host__run(0);
	host__return(SP, 0);
	host__assert_live(HOST_BLOCKS, HOST_BLOCKS * 10 - 3);
	assert_int_equal(host__counter(LT_CNT_BLOCKS_NOT_TRACKED), 1);
	assert_int_equal(host__counter(LT_CNT_BYTES_NOT_TRACKED), 10);
}

static void address_handed_out_twice(void **how)
{
	(void)how;
	mallocs(100, A);
	host__calls(FN_MALLOC, SP, RET + 8, ARGS(30), A);
	host__assert_live(1, 30);
	assert_int_equal(host__site(0)->live_blocks, 0);
	host__assert_lost(LT_CNT_FREES_MISSED, 1);
	frees(A);
	host__assert_live(0, 0);
}

static void site_table_full(void **how)
{
	u64 i;

	(void)how;
	for (i = 0; i < HOST_SITES + 20; i++)
		host__calls(FN_MALLOC, SP, RET + i, ARGS(100), A + 16 * i);
	host__assert_lost(LT_CNT_SITES_MERGED, 20);
	host__assert_live(HOST_SITES + 20, 100 * (HOST_SITES + 20));
	assert_int_equal(host__site(HOST_SITES)->live_bytes, 2000);
	assert_int_equal(host__site(HOST_SITES)->flags, LT_SITE_SENT);
	assert_int_equal(host.n_stacks, HOST_SITES);
	/* Another process has an overflow site of its own. */
	host__run(1);
	host__calls(FN_MALLOC, SP, RET, ARGS(5), A);
	assert_int_equal(host__site(HOST_SITES + 1)->live_bytes, 5);
	assert_int_equal(host__site(HOST_SITES + 1)->slot, 1);
	host__run(0);
	for (i = 0; i < HOST_SITES + 20; i++)
		frees(A + 16 * i);
	host__assert_live(1, 5);
}

/* Two threads come to a new stack at once. */
static u64 raced_hash;

static void win_the_race(void *map)
{
	if (map == &site_ids)
		assert_int_equal(site_find(raced_hash, 0, FN_MALLOC), 1);
}

static void site_race(void **how)
{
	(void)how;
	raced_hash = 77;
	host.before_update = win_the_race;
	assert_int_equal(site_find(raced_hash, 0, FN_MALLOC), 1);
	assert_int_equal(host__site(0)->flags, LT_SITE_UNUSED);
	assert_int_equal(host__site(1)->flags, 0);
	assert_int_equal(state.next_site, 2);
	host__assert_nothing_lost();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(floors),
		HOST_TEST(floors_saturate),
		HOST_TEST_ONCE(floors_at_every_window_number),
		HOST_TEST_ONCE(floors_after_a_pause),
		HOST_TEST(floor_of_a_sleeper),
		HOST_TEST(floor_races),
		HOST_TEST(births),
		HOST_TEST(block_map_full),
		HOST_TEST(block_map_full_at_the_wrong_moment),
		HOST_TEST(address_handed_out_twice),
		HOST_TEST(site_table_full),
		HOST_TEST(site_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
