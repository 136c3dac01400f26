/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walker on this program's own stack, by real tables of all files that are mapped here (the program, libc, the
 * sanitizers' runtime): it finds what the compiler's runtime finds.
 */
#include "host_calls.h"
#include "recorded_stack.h"
#include "select/mappings.h"
#include "select/segments.h"
#include "unwind/table.h"

#include <unistd.h>

#define MODULES 64

static struct module_table *known_modules;
static struct mappings mapped;

/* The table of a module where the walker finds it. */
struct placed {
	const struct module *module;
	struct unwind_table table;
	struct segments segments;
	u32 first, number;
};

static struct placed placed[MODULES];
static u32 n_placed, n_rows;

static struct placed *place(const struct module *m, bool every_row)
{
	const struct unwind_table_options o = {.every_row = every_row};
	struct placed *p;
	u32 i;

	for (i = 0; i < n_placed; i++) {
		if (placed[i].module == m)
			return &placed[i];
	}
	assert_true(n_placed < MODULES);
	p = &placed[n_placed++];
	memset(p, 0, sizeof(*p));
	p->module = m;
	p->number = n_placed;
	p->first = n_rows;
	assert_int_equal(unwind_table__build(&p->table, m, &o), 0);
	assert_int_equal(segments__read(&p->segments, m), 0);
	n_rows += p->table.rows.n;
	assert_true(n_rows <= HOST_ROWS);
	memcpy((struct lt_row *)host__array(&rows) + p->first, p->table.rows.at,
	       p->table.rows.n * sizeof(struct lt_row));
	return p;
}

static void describe(const struct mapping *at, bool every_row, struct lt_mapping *out)
{
	const struct placed *p = at->module ? place(at->module, every_row) : NULL;
	uint64_t vaddr;

	out->start = at->start;
	out->kind = LT_MAPPING_PLAIN;
	if (!p)
		return;
	assert_int_equal(segments__address(&p->segments, at->offset, &vaddr), 0);
	out->bias = at->start - vaddr + p->table.base;
	out->file = p->number;
	out->first = p->first;
	out->n = (u32)p->table.rows.n;
	if (out->n)
		out->kind = LT_MAPPING_TABLE;
}

/* As user/unwind/spaces.c does. */
static void publish(bool every_row)
{
	struct lt_mapping *list = host__array(&mappings);
	const struct mapping *at;
	uint64_t end = 0;
	u32 n = 0;

	n_rows = n_placed = 0;
	vec__each (&mapped.list, at) {
		if (n && end != at->start)
			list[n++].start = end;
		describe(at, every_row, &list[n++]);
		end = at->end;
	}
	list[n++].start = end;
	*host__space(0) = (struct lt_space){.range = (u64)n << 32, .generation = 1};
}

static void forget_tables(void)
{
	u32 i;

	for (i = 0; i < n_placed; i++) {
		unwind_table__free(&placed[i].table);
		segments__free(&placed[i].segments);
	}
}

static u64 walk_it(void)
{
	struct pt_regs regs = {.ip = recorded.ip, .sp = recorded.sp, .bp = recorded.fp};

	/* Of the probed call: an earlier probe may have replaced it. */
	host__walk(0, &regs, host__return_address(recorded.sp), 1);
	return host.current->state.walk.hash;
}

/* Each frame but the function itself, up to where the walk went; all of them if it was whole. */
static void assert_same_chain(void)
{
	const struct lt_rec_stack *found = &host.current->state.stack;
	u32 i;

	assert_true(recorded.n > 4 && recorded.n < RECORDED_FRAMES);
	assert_true(found->n > 2);
	if (found->end == LT_END_WHOLE)
		assert_int_equal(found->n, recorded.n + 1);
	for (i = 1; i < found->n; i++) {
		assert_int_equal(found->frames[i].pc, recorded.frames[i - 1].pc);
		assert_int_equal(found->interrupted[i / 64] >> i % 64 & 1, recorded.frames[i - 1].interrupted);
	}
}

static void walks_like_the_runtime(bool every_row, bool always_whole)
{
	u64 hash;

	host__forget_memory();
	host__add_memory(recorded.sp, recorded.bytes, recorded.size);
	publish(every_row);
	hash = walk_it();
	assert_same_chain();
	if (always_whole) {
		assert_int_equal(host.current->state.stack.end, LT_END_WHOLE);
		assert_int_equal(host.current->state.stack.flags, 0);
	}
	/* By the cache of rules. */
	assert_int_equal(walk_it(), hash);
	assert_same_chain();
	forget_tables();
}

static void own_frames(void **how)
{
	unsigned int depth;

	(void)how;
	for (depth = 0; depth < 30; depth += 6) {
		recorded_stack__by_own_frames(depth);
		walks_like_the_runtime(false, true);
		walks_like_the_runtime(true, true);
	}
}

static void callbacks_of_libraries(void **how)
{
	(void)how;
	recorded_stack__by_callbacks();
	walks_like_the_runtime(false, true);
	walks_like_the_runtime(true, true);
}

static void a_thread(void **how)
{
	(void)how;
	recorded_stack__by_thread();
	walks_like_the_runtime(false, true);
	walks_like_the_runtime(true, true);
}

/* With all rows an interrupted pc is as good as any; without, the walk may end there. */
static void signal_handlers(void **how)
{
	(void)how;
	recorded_stack__by_signal();
	walks_like_the_runtime(true, true);
	walks_like_the_runtime(false, false);
	recorded_stack__by_trap();
	walks_like_the_runtime(true, true);
	walks_like_the_runtime(false, false);
}

/* Any of the return addresses may be one that the kernel has replaced. */
static void trampolines(void **how)
{
	struct host_thread *t = host.current;
	u64 hash, slot, word, i;

	(void)how;
	recorded_stack__by_callbacks();
	host__add_memory(recorded.sp, recorded.bytes, recorded.size);
	publish(false);
	hash = walk_it();
	for (i = recorded.n; i-- > 0;) {
		slot = recorded.frames[i].sp - sizeof(u64);
		assert_int_equal(bpf_probe_read_user(&word, sizeof(word), (void *)slot), 0);
		assert_int_equal(word, recorded.frames[i].pc);
		host__push_instance(t, 0, slot, recorded.frames[i].pc);
		host__poke(slot, HOST_TRAMPOLINE);
		assert_int_equal(walk_it(), hash);
		assert_same_chain();
	}
	forget_tables();
}

static int set_up_all(void **how)
{
	(void)how;
	known_modules = module_table__new();
	/* Threads and callbacks load what they need. */
	recorded_stack__by_thread();
	return !known_modules || mappings__refresh(&mapped, known_modules, getpid());
}

static int tear_down_all(void **how)
{
	(void)how;
	mappings__free(&mapped);
	module_table__free(known_modules);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST_ONCE(own_frames),  HOST_TEST_ONCE(callbacks_of_libraries),
		HOST_TEST_ONCE(a_thread),    HOST_TEST_ONCE(signal_handlers),
		HOST_TEST_ONCE(trampolines),
	};

	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
