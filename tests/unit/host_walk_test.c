/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk of one frame by each kind of rule, on hand-made tables and stacks. */
#include "host_walk.h"

/* The function that a rule is tried on, and the one that its frame returns into. */
#define TRIED	 0x100u
#define RETURN	 0x104u /* in it */
#define OUTER	 0x200u
#define OUTER_IP (CODE + OUTER + 0x10)

#define MARK(i) (0x5a5a000000000000ull + (u64)(i))

/* One frame with this rule, then the end. */
static void tables_for(u32 rule)
{
	const struct lt_row table[] = {{TRIED, rule}, {OUTER, lt_rule_pack(LT_RULE_END, 0, 0)}};

	scene__add_table(1, CODE, CODE + 0x10000, table, 2);
	scene__publish();
}

static void walks(u64 fp)
{
	scene__walk(SP, fp, CODE + RETURN);
}

/* The frame was left as it should be. */
static void assert_stepped(u64 cfa, u64 fp)
{
	const struct walk *w = &host.current->state.walk;

	assert_end(3, LT_END_WHOLE);
	assert_int_equal(scene__frame(2)->pc, OUTER_IP);
	assert_int_equal(scene__frame(1)->place, lt_place(1, RETURN));
	assert_int_equal(scene__frame(2)->place, lt_place(1, OUTER + 0x10));
	assert_int_equal(w->sp, cfa);
	assert_int_equal(w->fp, fp);
}

/* All words below a CFA hold what tells their place. */
static void fill_frame(u64 cfa, u32 words)
{
	u32 i;

	for (i = 2; i <= words; i++)
		host__poke(cfa - 8ull * i, MARK(i));
	host__poke(cfa - 8, OUTER_IP);
}

static void by_registers(enum lt_rule_type type, u64 base, u64 fp)
{
	static const u32 saved[] = {0, 2, 3, 4, 5, 6, 7, 8, 40, 62};
	unsigned int i;

	for (i = 0; i < sizeof(saved) / sizeof(saved[0]); i++) {
		u64 cfa = base + 8 * 100;

		scene__start();
		tables_for(lt_rule_pack(type, saved[i], 100));
		fill_frame(cfa, 64);
		walks(fp);
		assert_stepped(cfa, saved[i] ? MARK(saved[i]) : fp);
	}
}

static void from_the_stack_pointer(void **how)
{
	(void)how;
	by_registers(LT_RULE_SP, SP + 8, 0x1234);
}

static void from_the_frame_pointer(void **how)
{
	(void)how;
	by_registers(LT_RULE_FP, SP + 0x3000, SP + 0x3000);
}

/* The largest offset there is. */
static void a_huge_frame(void **how)
{
	u64 cfa = SP + 8 + 8ull * LT_RULE_OFFSET_MAX;

	(void)how;
	scene__start();
	tables_for(lt_rule_pack(LT_RULE_SP, 0, LT_RULE_OFFSET_MAX));
	fill_frame(cfa, 1);
	walks(7);
	assert_stepped(cfa, 7);
}

/* A return address or a saved frame pointer that is not there. */
static void unreadable_words(void **how)
{
	static const struct {
		u32 saved, last; /* the words that are there: cfa - 8 * last .. */
	} cases[] = {{0, 0}, {2, 1}, {3, 2}, {6, 5}, {7, 6}, {62, 61}};
	unsigned int i;

	(void)how;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene__start();
		tables_for(lt_rule_pack(LT_RULE_SP, cases[i].saved, 100));
		if (cases[i].last)
			fill_frame(SP + 8 + 800, cases[i].last);
		walks(0);
		assert_end(2, LT_END_UNREADABLE);
		assert_int_equal(scene__frame(1)->place, lt_place(1, RETURN));
	}
}

/* Lazy binding: from byte k of its 16 an entry has pushed one word more. The pc that counts is the one looked up. */
static void procedure_linkage(void **how)
{
	u32 byte;

	(void)how;
	for (byte = 0; byte < 16; byte++) {
		const struct lt_row table[] = {{TRIED, lt_rule_pack(LT_RULE_PLT, 11, 1)},
					       {OUTER, lt_rule_pack(LT_RULE_END, 0, 0)}};
		u64 cfa = SP + 8 + 8 + (byte >= 11 ? 8 : 0);

		scene__start();
		scene__add_table(1, CODE, CODE + 0x10000, table, 2);
		scene__publish();
		fill_frame(cfa, 1);
		scene__walk(SP, 5, CODE + TRIED + byte + 1);
		assert_end(3, LT_END_WHOLE);
		assert_int_equal(scene__frame(2)->pc, OUTER_IP);
		assert_int_equal(host.current->state.walk.sp, cfa);
		assert_int_equal(host.current->state.walk.fp, 5);
	}
}

#define DEREF_FP       1u
#define DEREF_SAVED_FP 2u

/* cfa = *(base + offset) + added; offsets to both sides. */
static void through_a_word_on_the_stack(void **how)
{
	static const s32 offsets[] = {0, 1, 5, -1, -100, (s32)(LT_RULE_OFFSET_MAX / 2), -(s32)(LT_RULE_OFFSET_MAX / 2)};
	u64 fp = SP + 0x4000;
	unsigned int i;
	u32 bits, added;

	(void)how;
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		for (bits = 0; bits < 4; bits++) {
			u64 cfa = SP + 0x6000, base = bits & DEREF_FP ? fp : SP + 8;

			added = i * 2;
			scene__start();
			tables_for(lt_rule_pack(LT_RULE_DEREF, bits | added << 2, (u32)offsets[i]));
			host__poke(fp, MARK(0));
			host__poke(base + 8 * (u64)(s64)offsets[i], cfa - 8ull * added);
			if (base == fp && !offsets[i] && bits & DEREF_SAVED_FP)
				continue; /* one word cannot be both */
			fill_frame(cfa, 1);
			walks(fp);
			assert_stepped(cfa, bits & DEREF_SAVED_FP ? MARK(0) : fp);
		}
	}
}

static void through_unreadable_words(void **how)
{
	u64 cfa = SP + 0x6000, fp = SP + 0x4000;
	unsigned int have;

	(void)how;
	for (have = 0; have < 8; have++) {
		scene__start();
		tables_for(lt_rule_pack(LT_RULE_DEREF, DEREF_FP | DEREF_SAVED_FP, 2));
		if (have & 1)
			host__poke(fp + 16, cfa);
		if (have & 2)
			host__poke(fp, MARK(0));
		if (have & 4)
			fill_frame(cfa, 1);
		walks(fp);
		if (have == 7)
			assert_stepped(cfa, MARK(0));
		else
			assert_end(2, LT_END_UNREADABLE);
	}
}

static void no_rule(void **how)
{
	(void)how;
	scene__start();
	tables_for(LT_RULE_NONE);
	walks(0);
	assert_end(2, LT_END_NO_RULE);
	assert_int_equal(scene__frame(1)->place, lt_place(1, RETURN));
}

static void the_end(void **how)
{
	(void)how;
	scene__start();
	tables_for(lt_rule_pack(LT_RULE_END, 0, 0));
	walks(0);
	assert_end(2, LT_END_WHOLE);
	assert_int_equal(host.current->state.stack.flags, 0);
}

/* struct rt_sigframe as the kernel writes it; the handler returns to its first instruction. */
static void put_signal_frame(u64 at, u64 fp, u64 sp, u64 ip)
{
	host__poke(at + 40 + 80, fp);
	host__poke(at + 40 + 88, 0x11); /* rbx, rdx, rax, rcx: in between */
	host__poke(at + 40 + 96, 0x22);
	host__poke(at + 40 + 104, 0x33);
	host__poke(at + 40 + 112, 0x44);
	host__poke(at + 40 + 120, sp);
	host__poke(at + 40 + 128, ip);
}

static void through_a_signal_handler(void **how)
{
	const struct lt_row table[] = {
		{0x50, lt_rule_pack(LT_RULE_SIGNAL, 0, 0)},
		{TRIED, lt_rule_pack(LT_RULE_SP, 2, 4)},
		/* At its first byte: the rule of the byte before must not be taken. */
		{TRIED + 8, lt_rule_pack(LT_RULE_SP, 0, 6)},
		{OUTER, lt_rule_pack(LT_RULE_END, 0, 0)},
	};
	u64 stack = SP + 0x8000; /* the handler ran on another one, above or below */

	(void)how;
	scene__start();
	scene__add_table(1, CODE, CODE + 0x10000, table, 4);
	scene__publish();
	put_signal_frame(SP + 8, 0x77, stack, CODE + TRIED + 8);
	fill_frame(stack + 48, 4);
	scene__walk(SP, 0x1234, CODE + 0x51);
	assert_end(4, LT_END_WHOLE);
	assert_int_equal(scene__frame(2)->pc, CODE + TRIED + 8);
	assert_int_equal(scene__frame(2)->place, lt_place(1, TRIED + 8));
	assert_int_equal(scene__frame(3)->pc, OUTER_IP);
	assert_int_equal(host.current->state.walk.fp, 0x77);
	assert_int_equal(host.current->state.stack.interrupted[0], 1 << 2);
	assert_int_equal(host.current->state.stack.interrupted[1], 0);
}

/* The rule at an interrupted pc was left out: its place is known, and no more. */
static void an_inexact_row(void **how)
{
	const struct lt_row table[] = {
		{0x50, lt_rule_pack(LT_RULE_SIGNAL, 0, 0)},
		{TRIED, lt_rule_pack(LT_RULE_SP, 2, 4) | LT_RULE_INEXACT},
		{OUTER, lt_rule_pack(LT_RULE_END, 0, 0)},
	};

	(void)how;
	scene__start();
	scene__add_table(1, CODE, CODE + 0x10000, table, 3);
	scene__publish();
	put_signal_frame(SP + 8, 0x77, SP + 0x8000, CODE + TRIED + 8);
	scene__walk(SP, 0, CODE + 0x51);
	assert_end(3, LT_END_SIGNAL);
	assert_int_equal(scene__frame(2)->place, lt_place(1, TRIED + 8));
	/* For a return address it is right. */
	fill_frame(SP + 8 + 32, 4);
	scene__walk(SP, 0, CODE + TRIED + 9);
	assert_end(3, LT_END_WHOLE);
	assert_int_equal(host.current->state.walk.fp, MARK(2));
	assert_int_equal(host.current->state.stack.interrupted[0], 0);
}

static void an_unreadable_signal_frame(void **how)
{
	(void)how;
	scene__start();
	tables_for(lt_rule_pack(LT_RULE_SIGNAL, 0, 0));
	host__poke(SP + 8 + 40 + 80, 1);
	walks(0);
	assert_end(2, LT_END_UNREADABLE);
}

static void a_guess_that_holds(void **how)
{
	u64 fp = SP + 0x400;

	(void)how;
	scene__start();
	tables_for(lt_rule_pack(LT_RULE_GUESS, 0, 0));
	host__poke(fp, MARK(1));
	host__poke(fp + 8, OUTER_IP);
	walks(fp);
	assert_stepped(fp + 16, MARK(1));
	assert_int_equal(host.current->state.stack.flags, LT_STACK_GUESSED);
}

static void guesses_that_are_refused(void **how)
{
	static const struct {
		u64 fp;
		unsigned int end;
	} cases[] = {
		{0, LT_END_IMPLAUSIBLE}, /* no more than a common value of a register */
		{SP + 8 + 4, LT_END_IMPLAUSIBLE},
		{SP, LT_END_IMPLAUSIBLE},
		{1, LT_END_IMPLAUSIBLE},
		{8, LT_END_IMPLAUSIBLE},
		{SP + 8 + (1u << 20) + 8, LT_END_IMPLAUSIBLE},
		{~7ull, LT_END_IMPLAUSIBLE},
		{SP + 8 + (1u << 20), LT_END_UNREADABLE},
		{SP + 8, LT_END_UNREADABLE},
	};
	unsigned int i;

	(void)how;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene__start();
		tables_for(lt_rule_pack(LT_RULE_GUESS, 0, 0));
		walks(cases[i].fp);
		assert_end(2, cases[i].end);
		assert_int_equal(host.current->state.stack.flags, 0);
	}
}

/* The ABI's mark of the outermost frame, where a chain of frame pointers has led to it. */
static void a_chain_that_ends(void **how)
{
	u64 fp = SP + 0x400;

	(void)how;
	scene__start();
	tables_for(lt_rule_pack(LT_RULE_GUESS, 0, 0));
	host__poke(fp, 0);
	host__poke(fp + 8, CODE + RETURN + 1);
	walks(fp);
	assert_end(3, LT_END_WHOLE);
	assert_int_equal(scene__frame(2)->place, lt_place(1, RETURN + 1));
	assert_int_equal(host.current->state.stack.flags, LT_STACK_GUESSED);
}

/* A frame that was found by a rule breaks it. */
static void no_chain_through_a_rule(void **how)
{
	const struct lt_row table[] = {{TRIED, lt_rule_pack(LT_RULE_GUESS, 0, 0)},
				       {OUTER, lt_rule_pack(LT_RULE_SP, 0, 2)}};
	u64 fp = SP + 0x400;

	(void)how;
	scene__start();
	scene__add_table(1, CODE, CODE + 0x10000, table, 2);
	scene__publish();
	host__poke(fp, 0);
	host__poke(fp + 8, OUTER_IP);
	host__poke(fp + 24, CODE + RETURN);
	walks(fp);
	assert_end(4, LT_END_IMPLAUSIBLE);
}

/* What a guess leads to may be any word: no frame, and no part of the hash. */
static void a_guess_into_nothing(void **how)
{
	u64 fp = SP + 0x400, hash;

	(void)how;
	scene__start();
	tables_for(lt_rule_pack(LT_RULE_GUESS, 0, 0));
	host__poke(fp, MARK(1));
	host__poke(fp + 8, 0x1111);
	walks(fp);
	assert_end(2, LT_END_UNMAPPED);
	hash = host.current->state.walk.hash;
	host__poke(fp + 8, 0x2222);
	walks(fp);
	assert_end(2, LT_END_UNMAPPED);
	assert_int_equal(host.current->state.walk.hash, hash);
}

/* Without a guess it is a frame: a library that was just loaded. */
static void a_rule_into_nothing(void **how)
{
	u64 hash;

	(void)how;
	scene__start();
	tables_for(lt_rule_pack(LT_RULE_SP, 0, 2));
	host__poke(SP + 16, 0x1111);
	walks(0);
	assert_end(3, LT_END_UNMAPPED);
	assert_int_equal(scene__frame(2)->pc, 0x1111);
	assert_int_equal(scene__frame(2)->place, 0);
	hash = host.current->state.walk.hash;
	host__poke(SP + 16, 0x2222);
	walks(0);
	assert_end(3, LT_END_UNMAPPED);
	assert_int_not_equal(host.current->state.walk.hash, hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST_ONCE(from_the_stack_pointer),
		HOST_TEST_ONCE(from_the_frame_pointer),
		HOST_TEST_ONCE(a_huge_frame),
		HOST_TEST_ONCE(unreadable_words),
		HOST_TEST_ONCE(procedure_linkage),
		HOST_TEST_ONCE(through_a_word_on_the_stack),
		HOST_TEST_ONCE(through_unreadable_words),
		HOST_TEST_ONCE(no_rule),
		HOST_TEST_ONCE(the_end),
		HOST_TEST_ONCE(through_a_signal_handler),
		HOST_TEST_ONCE(an_inexact_row),
		HOST_TEST_ONCE(an_unreadable_signal_frame),
		HOST_TEST_ONCE(a_guess_that_holds),
		HOST_TEST_ONCE(guesses_that_are_refused),
		HOST_TEST_ONCE(a_chain_that_ends),
		HOST_TEST_ONCE(no_chain_through_a_rule),
		HOST_TEST_ONCE(a_guess_into_nothing),
		HOST_TEST_ONCE(a_rule_into_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
