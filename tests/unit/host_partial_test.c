/* SPDX-License-Identifier: GPL-2.0-only */
/* What user space gets to finish a walk that the tables could not. */
#include "host_walk.h"
#undef IP

#define RET  0x401234ull
#define IP   (HOST_LOAD_BIAS + 0x1000 * (FN_MALLOC + 1))
#define PAGE 4096u

static unsigned char memory[24 * PAGE];

static void remember(u64 sp, u64 size)
{
	u64 i;

	for (i = 0; i < sizeof(memory); i++)
		memory[i] = (unsigned char)(i * 7 + i / 251);
	memcpy(memory, &(u64){RET}, sizeof(u64));
	host__add_memory(sp, memory, size);
}

static void registers(void **how)
{
	static const u64 in_order[] = {100, 101, 102, 103, 104, 105, 106, SP, 108, 109, 110, 111, 112, 113, 114, 115};
	struct pt_regs regs = {.ax = 100,
			       .dx = 101,
			       .cx = 102,
			       .bx = 103,
			       .si = 104,
			       .di = 105,
			       .bp = 106,
			       .sp = SP,
			       .r8 = 108,
			       .r9 = 109,
			       .r10 = 110,
			       .r11 = 111,
			       .r12 = 112,
			       .r13 = 113,
			       .r14 = 114,
			       .r15 = 115,
			       .ip = IP};
	const struct lt_rec_partial *p = &host.last_partial;

	(void)how;
	remember(SP, 8);
	host__forget_space();
	host__enter(FN_MALLOC, &regs);
	assert_int_equal(host.n_partials, 1);
	assert_int_equal(p->stack.type, LT_REC_PARTIAL);
	assert_int_equal(p->stack.n, 2);
	assert_int_equal(p->stack.end, LT_END_STALE);
	assert_int_equal(p->stack.frames[0].pc, IP);
	assert_int_equal(p->stack.frames[1].pc, RET);
	assert_memory_equal(p->regs, in_order, sizeof(in_order));
	assert_int_equal(p->regs[16], IP);
	assert_int_equal(p->n_near, 0);
	assert_int_equal(p->n_far, 0);
	assert_int_equal(p->n_replaced, 0);
}

#define NEAR_PAGES (LT_PARTIAL_NEAR - PAGE) /* behind the one that the stack pointer is in */
#define FAR_PAGES  (LT_PARTIAL_FAR - PAGE)

/* Up to the end of its page, then whole pages, as far as they can be read and there is room; then the other part. */
static void bytes_of_the_stack(void **how)
{
	static const struct {
		u32 at, there, near, far; /* at: in a page */
	} cases[] = {
		{0, PAGE - 8, 0, 0},
		{0, PAGE, PAGE, 0},
		{0, 3 * PAGE + 8, PAGE, 2 * PAGE},
		{0, 16 * PAGE, NEAR_PAGES, FAR_PAGES},
		{PAGE - 8, 8, 8, 0},
		{PAGE - 8, PAGE + 7, 8, 0},
		{PAGE - 8, PAGE + 8, PAGE + 8, 0},
		{0x230, PAGE - 0x230 + PAGE, PAGE - 0x230 + PAGE, 0},
		{0x230, PAGE - 0x230 + 2 * PAGE, PAGE - 0x230 + PAGE, PAGE},
		{8, 16 * PAGE, PAGE - 8 + NEAR_PAGES, FAR_PAGES},
	};
	const struct lt_rec_partial *p = &host.last_partial;
	unsigned int i;

	(void)how;
	host__forget_space();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		u64 sp = SP + cases[i].at;
		struct pt_regs regs = {.ip = IP, .sp = sp};

		host__forget_memory();
		remember(sp, cases[i].there);
		host__enter(FN_MALLOC, &regs);
		assert_int_equal(p->n_near, cases[i].near);
		assert_memory_equal(p->near, memory, p->n_near);
		assert_int_equal(p->n_far, cases[i].far);
		if (p->n_near)
			assert_int_equal(p->far_sp, sp + p->n_near);
		assert_memory_equal(p->far, memory + p->n_near, p->n_far);
		host.current->task.self_exec_id++; /* so that it is a new site */
	}
}

/* One frame of this size, then one whose rule user space has to find. */
static void a_frame_of(u32 words)
{
	const struct lt_row table[] = {{0, lt_rule_pack(LT_RULE_SP, 0, words)}, {0x100, LT_RULE_NONE}};

	scene__start();
	scene__add_table(1, RET - 0x34, RET + 0x1000, table, 2);
	scene__publish();
}

/* Without a gap, for user space walks from the start; but behind what can be copied, from where the walk stopped. */
static void from_where_the_walk_stopped(void **how)
{
	static const u32 words[] = {2, 100, 1024, 3000, 4095, 4096, 5000};
	const struct lt_rec_partial *p = &host.last_partial;
	struct pt_regs regs = {.ip = IP, .sp = SP};
	unsigned int i;

	(void)how;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		u64 stopped = SP + 8ull * words[i], far_sp = words[i] < 4096 ? SP + NEAR_PAGES : stopped;

		a_frame_of(words[i] - 1);
		remember(SP, sizeof(memory));
		host__poke(stopped - 8, RET + 0x100);
		host__space(0)->stale = host__space(0)->fresh = 40 + i;
		host__enter(FN_MALLOC, &regs);
		assert_int_equal(host.n_partials, i + 1);
		assert_int_equal(p->stack.end, LT_END_NO_RULE);
		assert_int_equal(p->stack.n, 3);
		assert_int_equal(p->stale, 40 + i);
		assert_int_equal(p->n_near, NEAR_PAGES);
		assert_int_equal(p->far_sp, far_sp);
		assert_int_equal(p->n_far, (-far_sp & (PAGE - 1)) + FAR_PAGES);
		/* But for the word that was poked. */
		memcpy(memory + 8 * words[i] - 8, &(u64){RET + 0x100}, 8);
		assert_memory_equal(p->far, memory + (far_sp - SP), p->n_far);
	}
}

/* A signal handler's stack, and the one that was interrupted, wherever each lies. */
static void from_another_stack(void **how)
{
	const struct lt_row table[] = {{0, LT_RULE_SIGNAL}, {0x100, LT_RULE_NONE}};
	static const u64 others[] = {SP - 0x800000, SP + 0x800000};
	const struct lt_rec_partial *p = &host.last_partial;
	struct pt_regs regs = {.ip = IP, .sp = SP};
	unsigned int i;

	(void)how;
	for (i = 0; i < 2; i++) {
		scene__start();
		scene__add_table(1, RET - 0x34, RET + 0x1000, table, 2);
		scene__publish();
		remember(SP, 2 * PAGE);
		host__add_memory(others[i], memory, 2 * PAGE);
		host__poke(SP + 8 + 160, others[i]);
		host__poke(SP + 8 + 168, RET + 0x100);
		host__space(0)->stale = host__space(0)->fresh = i;
		host__enter(FN_MALLOC, &regs);
		assert_int_equal(p->stack.end, LT_END_NO_RULE);
		assert_int_equal(p->stack.n, 3);
		assert_int_equal(p->far_sp, others[i]);
		assert_int_equal(p->n_far, 2 * PAGE);
		assert_memory_equal(p->far, memory, p->n_far);
	}
}

static void replaced_words(void **how)
{
	const struct lt_rec_partial *p = &host.last_partial;
	struct host_thread *t = host.current;
	struct pt_regs regs = {.ip = IP, .sp = SP};
	u32 i;

	(void)how;
	host__forget_space();
	remember(SP, 8);
	for (i = 0; i < LT_PARTIAL_REPLACED + 4; i++)
		host__push_instance(t, 0, SP + 0x1000 - 0x10ull * i, 0x5000 + i);
	host__enter(FN_MALLOC, &regs);
	/* The newest ones, which are nearest. */
	assert_int_equal(p->n_replaced, LT_PARTIAL_REPLACED);
	for (i = 0; i < LT_PARTIAL_REPLACED; i++) {
		assert_int_equal(p->replaced[i].at, SP + 0x1000 - 0x10ull * (LT_PARTIAL_REPLACED + 3 - i));
		assert_int_equal(p->replaced[i].was, 0x5000 + LT_PARTIAL_REPLACED + 3 - i);
	}
}

/* Two stacks that are alike as far as they were walked are told apart by where they are. */
static void sites_of_unfinished_stacks(void **how)
{
	u32 i;

	(void)how;
	host__forget_space();
	for (i = 0; i < 3; i++) {
		host__calls(FN_MALLOC, SP, RET, ARGS(10), 0xa000 + 0x100 * i);
		host__calls(FN_MALLOC, SP + 16, RET, ARGS(10), 0xb000 + 0x100 * i);
	}
	assert_int_equal(state.next_site, 2);
	assert_int_equal(host.n_partials, 2);
	assert_int_equal(host.n_stacks, 0);
	assert_int_equal(host__counter(LT_CNT_ENDS + LT_END_STALE), 6);
	/* Now that its mappings are known it is another site, which user space joins with them. */
	host__slot(0)->space = 0;
	host__calls(FN_MALLOC, SP, RET, ARGS(10), 0xc000);
	host__calls(FN_MALLOC, SP + 16, RET, ARGS(10), 0xc100);
	assert_int_equal(state.next_site, 3);
	assert_int_equal(host.n_stacks, 1);
	assert_int_equal(host.last_stack.end, LT_END_WHOLE);
	assert_int_equal(host.last_stack.n, 2);
	assert_int_equal(host.last_stack.frames[1].place, RET | LT_PLACE_PC);
	assert_int_equal(host.last_stack_size, offsetof(struct lt_rec_stack, frames) + 2 * 16);
}

/* One function allocates in two places, with the same stack pointer. */
static void calls_in_one_function(void)
{
	static const u64 returns[] = {RET, RET + 0x10, RET, RET + 0x10};
	u32 before = state.next_site, i;

	for (i = 0; i < 4; i++)
		host__calls(FN_MALLOC, SP, returns[i], ARGS(10), 0xa000 + 0x100 * i);
	assert_int_equal(host.last_partial.stack.end, LT_END_STALE);
	assert_int_equal(host.last_partial.stack.n, 2);
	assert_int_equal(state.next_site - before, 2);
}

static void callers_of_stacks_that_were_not_walked(void **how)
{
	(void)how;
	host__space(0)->stale++;
	calls_in_one_function();
	host__forget_space();
	host__run(1);
	calls_in_one_function();
	assert_int_equal(host__slot(1)->space, LT_NO_SPACE);
}

static u32 calls_with(u64 at, u64 word)
{
	host__poke(at, word);
	host__calls(FN_MALLOC, SP, RET, ARGS(10), 0xa000 + 0x100 * host__n_entries(&blocks));
	return state.next_site;
}

/* By words beyond that may be return addresses, and by no others; by notices of the loader in between. */
static void callers_of_unfinished_stacks(void **how)
{
	u64 at = SP + 8 + 0x80, last = SP + 8 + 511 * 8;
	const struct lt_row table[] = {{0, LT_RULE_NONE}};
	u32 i;

	(void)how;
	scene__start();
	scene__add_table(1, RET - 0x34, RET + 0x1000, table, 1);
	scene__publish();
	for (i = 0; i < 520; i++)
		host__poke(SP + 8 + 8 * i, 0x1234);
	assert_int_equal(calls_with(at, 0x1234), 1);
	assert_int_equal(calls_with(at, RET + 0x1000), 1);
	assert_int_equal(calls_with(at, RET + 0x500), 2);
	assert_int_equal(calls_with(at, RET + 0x501), 3);
	assert_int_equal(calls_with(at, RET + 0x500), 3);
	assert_int_equal(calls_with(last, RET + 0x502), 4);
	assert_int_equal(calls_with(last + 8, RET + 0x503), 4);
	host__space(0)->stale = host__space(0)->fresh = 1;
	assert_int_equal(calls_with(at, RET + 0x500), 5);
}

static void a_full_ring(void **how)
{
	(void)how;
	host__forget_space();
	host.ring_full = true;
	host__calls(FN_MALLOC, SP, RET, ARGS(10), 0xa000);
	assert_int_equal(host__site(0)->flags, 0);
	host.ring_full = false;
	host__calls(FN_MALLOC, SP, RET, ARGS(10), 0xb000);
	assert_int_equal(host__site(0)->flags, LT_SITE_SENT);
	assert_int_equal(host.n_partials, 1);
	host__assert_live(2, 20);
}

/* A stack word that is not there: user space could not read it either. */
static void what_cannot_be_finished(void **how)
{
	static const u32 rule_of[] = {[LT_END_NO_RULE] = LT_RULE_NONE, [LT_END_UNREADABLE] = LT_RULE_SP | 1 << 9};
	unsigned int end;

	(void)how;
	for (end = LT_END_NO_RULE; end <= LT_END_UNREADABLE; end += LT_END_UNREADABLE - LT_END_NO_RULE) {
		const struct lt_row table[] = {{0, rule_of[end]}};

		scene__start();
		scene__add_table(end, RET - 0x234, RET + 0x1000, table, 1);
		scene__publish();
		host__calls(FN_MALLOC, SP, RET, ARGS(10), 0xa000 + 0x100 * end);
		assert_int_equal(host__counter(LT_CNT_ENDS + end), 1);
	}
	assert_int_equal(host.n_partials, 1);
	assert_int_equal(host.last_partial.stack.end, LT_END_NO_RULE);
	assert_int_equal(host.last_partial.stack.frames[1].place, lt_place(LT_END_NO_RULE, 0x234));
	assert_int_equal(host.n_stacks, 1);
	assert_int_equal(host.last_stack.end, LT_END_UNREADABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(registers),
		HOST_TEST(bytes_of_the_stack),
		HOST_TEST(from_where_the_walk_stopped),
		HOST_TEST(from_another_stack),
		HOST_TEST(replaced_words),
		HOST_TEST(sites_of_unfinished_stacks),
		HOST_TEST(callers_of_stacks_that_were_not_walked),
		HOST_TEST(callers_of_unfinished_stacks),
		HOST_TEST(a_full_ring),
		HOST_TEST(what_cannot_be_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
