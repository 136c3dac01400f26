/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random calls of several threads of two processes, nested, jumping, failing, racing and left by long jumps, beside a
 * model that knows the truth: sums, counts and floors agree after each step.
 */
#include "host_calls.h"
#include "random_numbers.h"

#define STEPS	  100000
#define THREADS	  5
#define PROCESSES 2
#define DEPTH	  4 /* deeper ones are evicted, which is a loss */
#define ADDRESSES 3000
#define MOST	  2000 /* live blocks of a process */

enum outcome { SUCCEEDS, FAILS, RELEASES };

struct call {
	enum host_fn fn;
	u64 sp, size, old, result;
	s64 old_size; /* of the tracked block at old, which is out of the map while the call is under way; -1: none */
	enum host_fn old_fn;
	enum outcome outcome;
};

static struct thread {
	u32 process;
	u64 base;
	unsigned int depth;
	struct call calls[DEPTH];
} threads[THREADS];

/* One call stack for each function and process, so that is what a site is. */
struct truth {
	s64 bytes, blocks, floor;
	u64 allocs, alloc_bytes, frees, failed;
	u32 window;
};

static struct process {
	struct {
		bool taken;   /* by the allocator's own account */
		bool tracked; /* in the map of blocks */
		u64 size;
		enum host_fn fn; /* that made it */
	} at[ADDRESSES];
	struct truth sites[FN_COUNT];
	u64 allocs, frees, untracked, failed;
	unsigned int n_taken;
} processes[PROCESSES];

static uint64_t seed, n_old;
static s64 tracked_blocks, tracked_bytes;

static u64 pick(u64 n)
{
	return (next_random(&seed) >> 11) % n;
}

static u64 address_of(u64 i)
{
	return 0xa0000 + 0x20 * i;
}

static u64 index_of(u64 address)
{
	return (address - 0xa0000) / 0x20;
}

static u64 any_free_address(struct process *p)
{
	u64 i = pick(ADDRESSES);

	while (p->at[i].taken)
		i = (i + 1) % ADDRESSES;
	return address_of(i);
}

/* A live block, or 0. */
static u64 any_live_address(struct process *p)
{
	u64 i = pick(ADDRESSES), n;

	for (n = 0; n < 40; n++, i = (i + 1) % ADDRESSES) {
		if (p->at[i].taken && p->at[i].tracked)
			return address_of(i);
	}
	return 0;
}

static void floor_at(struct truth *t, s64 low)
{
	if (t->window != state.window || low < t->floor)
		t->floor = low;
	t->window = state.window;
}

static void born(struct process *p, enum host_fn fn, u64 address, u64 size)
{
	struct truth *t = &p->sites[fn];

	floor_at(t, t->bytes);
	t->bytes += (s64)size;
	t->blocks++;
	t->allocs++;
	t->alloc_bytes += size;
	p->allocs++;
	p->at[index_of(address)].tracked = true;
	p->at[index_of(address)].size = size;
	p->at[index_of(address)].fn = fn;
	tracked_blocks++;
	tracked_bytes += (s64)size;
}

static void gone(struct process *p, enum host_fn fn, s64 size)
{
	struct truth *t = &p->sites[fn];

	p->frees++;
	if (size < 0) {
		p->untracked++;
		return;
	}
	t->bytes -= size;
	t->blocks--;
	t->frees++;
	floor_at(t, t->bytes);
}

/* The map forgets a block; its sums stay. */
static s64 untrack(struct process *p, u64 address)
{
	u64 i = index_of(address);

	if (!address || !p->at[i].tracked)
		return -1;
	p->at[i].tracked = false;
	tracked_blocks--;
	tracked_bytes -= (s64)p->at[i].size;
	return (s64)p->at[i].size;
}

static void track_again(struct process *p, const struct call *c)
{
	p->at[index_of(c->old)].tracked = true;
	tracked_blocks++;
	tracked_bytes += c->old_size;
}

static void release_address(struct process *p, u64 address)
{
	p->at[index_of(address)].taken = false;
	p->n_taken--;
}

static u64 take_address(struct process *p, u64 address)
{
	p->at[index_of(address)].taken = true;
	p->n_taken++;
	return address;
}

static u64 ret_of(enum host_fn fn)
{
	return 0x400000 + 0x10 * (u64)fn + 5;
}

static void do_free(struct thread *t, u64 sp)
{
	struct process *p = &processes[t->process];
	enum host_fn fn = pick(2) ? FN_FREE : FN_FREE_SIZED;
	u64 address = any_live_address(p);
	s64 size;

	/* Sometimes of a block from before the attach, each of which is freed once only. */
	if (!address || !pick(20))
		address = address_of(ADDRESSES + n_old++);
	size = index_of(address) < ADDRESSES ? untrack(p, address) : -1;
	if (size >= 0)
		release_address(p, address);
	gone(p, size >= 0 ? p->at[index_of(address)].fn : FN_FREE, size);
	host__call(fn, sp, ret_of(fn), ARGS(address, 8));
	if (fn == FN_FREE_SIZED && pick(2))
		host__jump(FN_FREE, sp, ARGS(address));
	host__return(sp, 0);
}

/* What the call is going to do, and what it has done to the allocator before it returns. */
static void decide(struct process *p, struct call *c)
{
	bool reallocates = c->fn == FN_REALLOC || c->fn == FN_REALLOCARRAY;

	c->size = pick(4) ? pick(5000) : 0;
	c->old = reallocates && pick(4) ? any_live_address(p) : 0;
	c->old_fn = c->old ? p->at[index_of(c->old)].fn : FN_FREE;
	c->old_size = untrack(p, c->old);
	c->outcome = pick(10) || (c->old && !c->size) ? SUCCEEDS : FAILS;
	if (c->old && !c->size)
		c->outcome = RELEASES;
	c->result = 0;
	if (c->outcome == SUCCEEDS && c->old && pick(2)) {
		c->result = c->old;
		return;
	}
	/* From here on another thread may get the old address. */
	if (c->outcome != FAILS && c->old)
		release_address(p, c->old);
	if (c->outcome == SUCCEEDS)
		c->result = take_address(p, any_free_address(p));
}

static void enter(struct call *c)
{
	u64 ret = ret_of(c->fn);

	switch (c->fn) {
	case FN_CALLOC:
		host__call(c->fn, c->sp, ret, ARGS(1, c->size));
		break;
	case FN_REALLOC:
		host__call(c->fn, c->sp, ret, ARGS(c->old, c->size));
		if (!c->old && pick(2))
			host__jump(FN_MALLOC, c->sp, ARGS(c->size));
		break;
	case FN_REALLOCARRAY:
		host__call(c->fn, c->sp, ret, ARGS(c->old, 1, c->size));
		if (pick(2))
			host__jump(FN_REALLOC, c->sp, ARGS(c->old, c->size));
		break;
	case FN_POSIX_MEMALIGN:
		host__call(c->fn, c->sp, ret, ARGS(c->sp + 0x80, 16, c->size));
		break;
	case FN_ALIGNED_ALLOC:
		host__call(c->fn, c->sp, ret, ARGS(16, c->size));
		if (pick(2))
			host__jump(FN_MALLOC, c->sp, ARGS(c->size));
		break;
	default:
		host__call(c->fn, c->sp, ret, ARGS(c->size));
	}
}

/* Calls of the allocator's own, right below its frame. */
static void call_inside(const struct call *c)
{
	if (c->old && pick(3) == 0) {
		host__calls(FN_MALLOC, c->sp - 0x20, host__inside(c->fn), ARGS(c->size), c->result);
		host__calls(FN_FREE, c->sp - 0x20, host__inside(c->fn), ARGS(c->old), 0);
	}
}

static void start_call(struct thread *t, u64 sp)
{
	static const enum host_fn kinds[] = {FN_MALLOC,	      FN_CALLOC,	 FN_REALLOC,
					     FN_REALLOCARRAY, FN_POSIX_MEMALIGN, FN_ALIGNED_ALLOC};
	struct call *c = &t->calls[t->depth++];

	c->fn = kinds[pick(6)];
	c->sp = sp;
	decide(&processes[t->process], c);
	enter(c);
	call_inside(c);
}

static void end_call(struct thread *t)
{
	struct process *p = &processes[t->process];
	struct call *c = &t->calls[--t->depth];

	if (c->outcome == FAILS) {
		p->failed++;
		p->sites[c->fn].failed++;
		if (c->old_size >= 0)
			track_again(p, c);
	} else {
		if (c->old)
			gone(p, c->old_fn, c->old_size);
		if (c->outcome == SUCCEEDS)
			born(p, c->fn, c->result, c->size);
	}
	if (c->fn == FN_POSIX_MEMALIGN) {
		host__poke(c->sp + 0x80, c->result);
		host__return(c->sp, c->outcome == FAILS ? 12 : 0);
	} else {
		host__return(c->sp, c->result);
	}
}

/* All calls of the thread are left, unless one of them holds a block: what becomes of that, no one could know. */
static void jump_out(struct thread *t)
{
	unsigned int i;

	for (i = 0; i < t->depth; i++) {
		if (t->calls[i].old)
			return;
	}
	while (t->depth) {
		struct call *c = &t->calls[--t->depth];

		if (c->result)
			release_address(&processes[t->process], c->result);
	}
}

static void step(void)
{
	unsigned int i = (unsigned int)pick(THREADS);
	struct thread *t = &threads[i];
	struct process *p = &processes[t->process];
	u64 sp = (t->depth ? t->calls[t->depth - 1].sp : t->base) - 0x100 - 8 * pick(8), what = pick(100);

	host__run(i);
	if (what == 0)
		state.window = state.window == LT_WINDOW_MAX ? 2 : state.window + 1;
	else if (what == 1)
		jump_out(t);
	else if (what < 40 && t->depth)
		end_call(t);
	else if (what < 65 || p->n_taken > MOST)
		do_free(t, sp);
	else if (t->depth < DEPTH)
		start_call(t, sp);
}

static void check_site(const struct lt_site *s)
{
	const struct truth *t = &processes[s->slot].sites[s->fn];

	assert_int_equal(s->live_bytes, t->bytes);
	assert_int_equal(s->live_blocks, t->blocks);
	assert_int_equal(s->allocs, t->allocs);
	assert_int_equal(s->alloc_bytes, t->alloc_bytes);
	assert_int_equal(s->frees, t->frees);
	assert_int_equal(s->failed, t->failed);
	if (t->window == state.window)
		assert_int_equal(s->floor[state.window & 1], lt_floor_pack(state.window, (u64)t->floor));
	else
		assert_int_not_equal(lt_floor_window(s->floor[state.window & 1]), state.window);
}

static void check(void)
{
	unsigned int i;
	u32 id;

	for (id = 0; id < state.next_site; id++)
		check_site(host__site(id));
	for (i = 0; i < PROCESSES; i++) {
		const struct lt_slot *s = host__slot(i);

		assert_int_equal(s->allocs, processes[i].allocs);
		assert_int_equal(s->frees, processes[i].frees);
		assert_int_equal(s->frees_untracked, processes[i].untracked);
		assert_int_equal(s->failed, processes[i].failed);
	}
	assert_int_equal(host__n_entries(&blocks), tracked_blocks);
}

static void check_all(void)
{
	struct host_sums tracked = host__tracked(), live = host__live(), by_birth = host__by_birth();

	assert_int_equal(tracked.blocks, tracked_blocks);
	assert_int_equal(tracked.bytes, tracked_bytes);
	assert_int_equal(by_birth.blocks, live.blocks);
	assert_int_equal(by_birth.bytes, live.bytes);
	host__assert_nothing_lost();
}

static void run(u64 first_seed)
{
	unsigned int i;

	seed = first_seed;
	memset(threads, 0, sizeof(threads));
	memset(processes, 0, sizeof(processes));
	tracked_blocks = tracked_bytes = 0;
	host__start_calls(PROCESSES * ADDRESSES, 64);
	state.window = LT_WINDOW_MAX - 100;
	for (i = 0; i < THREADS; i++) {
		threads[i].process = i % PROCESSES;
		threads[i].base = 0x7f0000000000 + 0x100000 * (u64)i;
		if (i >= PROCESSES)
			host__join(i, i % PROCESSES);
		/* The first hit of a process takes the next slot. */
		host__run(i);
		host__call(FN_FREE, threads[i].base, 0x400000, ARGS(0));
	}
	for (i = 0; i < STEPS; i++) {
		step();
		state.birth = i / 1000 % LT_BIRTH_SLOTS;
		state.birth_counter[state.birth] = state.birth % LT_BIRTH_COUNTERS;
		check();
		if (i % 200 == 0)
			check_all();
	}
	for (i = 0; i < THREADS; i++) {
		host__run(i);
		while (threads[i].depth)
			end_call(&threads[i]);
	}
	check();
	check_all();
	assert_int_equal(host__live().bytes, tracked_bytes);
	assert_int_equal(host__live().blocks, tracked_blocks);
	host__stop();
}

static void random_calls(void **how)
{
	host_path = *(enum host_path *)*how;
	run(1);
	run(4711);
	run(0x9e3779b97f4a7c15ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"random_calls (session)", random_calls, NULL, NULL, &host_session},
		{"random_calls (two programs)", random_calls, NULL, NULL, &host_two},
		{"random_calls (session, frame pointers)", random_calls, NULL, NULL, &host_session_fp},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
