/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a walk goes: which mapping and row hold at a pc, how deep, what changes under it, and what its hash says. */
#include "host_walk.h"
#include "random_numbers.h"

#define END    lt_rule_pack(LT_RULE_END, 0, 0)
#define GUESS  lt_rule_pack(LT_RULE_GUESS, 0, 0)
#define SP8(n) lt_rule_pack(LT_RULE_SP, 0, n) /* a frame of n words */

static struct walk *result(void)
{
	return &host.current->state.walk;
}

static unsigned int flags(void)
{
	return host.current->state.stack.flags;
}

static uint64_t random_state = RANDOM_SEED;

static void edges_of_mappings(void **how)
{
	const struct lt_row table[] = {{0x100, END}, {0x200, SP8(1)}, {0x300, LT_RULE_NONE}};
	const struct lt_mapping jit = {.start = CODE + 0x1000, .kind = LT_MAPPING_PLAIN};
	const struct lt_mapping plain = {
		.start = CODE + 0x3000, .bias = CODE + 0x2000, .file = 2, .kind = LT_MAPPING_PLAIN};
	const struct lt_mapping full = {
		.start = CODE + 0x4000, .bias = CODE + 0x4000, .file = 3, .kind = LT_MAPPING_FULL};
	const struct {
		u64 ret;
		unsigned int end;
		u64 place;
	} cases[] = {
		{1, LT_END_UNMAPPED, 0},
		/* Nothing before: the code was entered at its first byte. */
		{CODE, LT_END_IMPLAUSIBLE, lt_place(1, 0)},
		{CODE + 1, LT_END_IMPLAUSIBLE, lt_place(1, 1)},
		{CODE + 0x100, LT_END_IMPLAUSIBLE, lt_place(1, 0x100)},
		{CODE + 0x101, LT_END_WHOLE, lt_place(1, 0x101)},
		{CODE + 0x200, LT_END_WHOLE, lt_place(1, 0x200)},
		{CODE + 0x201, LT_END_UNREADABLE, lt_place(1, 0x201)},
		{CODE + 0x300, LT_END_UNREADABLE, lt_place(1, 0x300)},
		{CODE + 0x301, LT_END_NO_RULE, lt_place(1, 0x301)},
		/* The call is the last instruction: the return address lies in the next mapping. */
		{CODE + 0x1000, LT_END_NO_RULE, lt_place(1, 0x1000)},
		{CODE + 0x1001, LT_END_IMPLAUSIBLE, (CODE + 0x1001) | LT_PLACE_PC},
		{CODE + 0x2000, LT_END_IMPLAUSIBLE, (CODE + 0x2000) | LT_PLACE_PC},
		{CODE + 0x2001, LT_END_UNMAPPED, 0},
		{CODE + 0x3000, LT_END_IMPLAUSIBLE, lt_place(2, 0x1000)},
		{CODE + 0x3001, LT_END_IMPLAUSIBLE, lt_place(2, 0x1001)},
		{CODE + 0x4001, LT_END_NO_RULE, lt_place(3, 1)},
		{CODE + 0x5000, LT_END_NO_RULE, lt_place(3, 0x1000)},
		{CODE + 0x5001, LT_END_UNMAPPED, 0},
		{~0ull, LT_END_UNMAPPED, 0},
	};
	unsigned int i;

	(void)how;
	scene__start();
	scene__add_table(1, CODE, CODE + 0x1000, table, 3);
	scene__add_mapping(&jit, CODE + 0x2000);
	scene__add_mapping(&plain, CODE + 0x4000);
	scene__add_mapping(&full, CODE + 0x5000);
	scene__publish();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene__walk(SP, 0, cases[i].ret);
		assert_end(2, cases[i].end);
		/* No frame was found by a guess. */
		assert_int_equal(flags(), 0);
		assert_int_equal(scene__frame(1)->pc, cases[i].ret);
		assert_int_equal(scene__frame(1)->place, cases[i].place);
	}
}

static void no_mappings_at_all(void **how)
{
	(void)how;
	scene__start();
	scene__walk(SP, 0, CODE);
	assert_end(2, LT_END_UNMAPPED);
}

/* Found as a search one by one finds them. */
static void any_number_of_mappings(void **how)
{
	struct lt_mapping m = {.kind = LT_MAPPING_PLAIN};
	u32 n, i, file;

	(void)how;
	for (n = 1; n < 70; n++) {
		u64 starts[70], pc;

		scene__start();
		for (i = 0, pc = CODE; i < n; i++) {
			starts[i] = pc;
			m.start = m.bias = pc;
			m.file = i + 1;
			pc += 1 + next_random(&random_state) % 0x2000;
			scene__add_mapping(&m, pc);
		}
		scene__publish();
		for (i = 0; i < 50; i++) {
			u64 at = CODE + next_random(&random_state) % (pc - CODE);

			for (file = n; starts[file - 1] > at; file--)
				;
			scene__walk(SP, 0, at + 1);
			assert_end(2, LT_END_IMPLAUSIBLE);
			assert_int_equal(scene__frame(1)->place, lt_place(file, at + 1 - starts[file - 1]));
		}
	}
}

static void any_number_of_rows(void **how)
{
	static struct lt_row table[3000];
	u32 n, i, at;

	(void)how;
	for (n = 1; n < 3000; n += 1 + n / 3) {
		u32 pc = 1;

		scene__start();
		/* Others' rows around them. */
		scene__add_table(1, CODE - 0x100000, CODE - 0xff000, (struct lt_row[]){{0, END}}, 1);
		for (i = 0; i < n; i++) {
			table[i] = (struct lt_row){pc, lt_rule_pack(LT_RULE_NONE, 1 + i % 63, i)};
			pc += 1 + next_random(&random_state) % 60;
		}
		scene__add_table(2, CODE, CODE + 0x100000, table, n);
		scene__add_table(3, CODE + 0x100000, CODE + 0x200000, (struct lt_row[]){{0, END}}, 1);
		scene__publish();
		for (i = 0; i < 60; i++) {
			u32 where = 1 + (u32)(next_random(&random_state) % pc);

			for (at = n - 1; table[at].pc > where; at--)
				;
			scene__walk(SP, 0, CODE + where + 1);
			assert_end(2, LT_END_NO_RULE);
			assert_int_equal(result()->rule, table[at].rule);
		}
	}
}

/* Frames of one word, up to a last one. */
static void recursion(unsigned int frames)
{
	const struct lt_row table[] = {{0x100, SP8(1)}, {0x200, END}};
	unsigned int i;

	scene__start();
	scene__add_table(1, CODE, CODE + 0x1000, table, 2);
	scene__publish();
	for (i = 2; i < frames; i++)
		host__poke(SP + 8ull * (i - 1), CODE + (i + 1 == frames ? 0x210 : 0x110));
}

static u64 hash_of(unsigned int frames)
{
	recursion(frames);
	scene__walk(SP, 0, CODE + 0x110);
	return result()->hash;
}

static void how_deep(void **how)
{
	u64 hash;

	(void)how;
	hash_of(LT_MAX_FRAMES - 1);
	assert_end(LT_MAX_FRAMES - 1, LT_END_WHOLE);
	hash_of(LT_MAX_FRAMES);
	assert_end(LT_MAX_FRAMES, LT_END_WHOLE);
	hash = hash_of(LT_MAX_FRAMES + 1);
	assert_end(LT_MAX_FRAMES, LT_END_DEEP);
	assert_int_equal(scene__frame(LT_MAX_FRAMES - 1)->place, lt_place(1, 0x110));
	/* What is not walked does not count; the last frame does. */
	assert_int_equal(hash_of(LT_MAX_FRAMES + 50), hash);
	recursion(LT_MAX_FRAMES + 50);
	host__poke(SP + 8ull * (LT_MAX_FRAMES - 2), CODE + 0x111);
	scene__walk(SP, 0, CODE + 0x110);
	assert_end(LT_MAX_FRAMES, LT_END_DEEP);
	assert_int_not_equal(result()->hash, hash);
}

static void each_frame_counts(void **how)
{
	u64 hash = hash_of(20);
	unsigned int i;

	(void)how;
	for (i = 2; i < 19; i++) {
		recursion(20);
		host__poke(SP + 8ull * (i - 1), CODE + 0x111);
		scene__walk(SP, 0, CODE + 0x110);
		assert_end(20, LT_END_WHOLE);
		assert_int_not_equal(result()->hash, hash);
	}
}

/* Words that the kernel has replaced: any one, and more and more of them. */
static void trampolines(void **how)
{
	struct host_thread *t = host.current;
	u64 hash = hash_of(30), word;
	unsigned int i;

	(void)how;
	for (i = 28; i > 0; i--) {
		word = host__peek(SP + 8ull * i);
		host__poke(SP + 8ull * i, HOST_TRAMPOLINE);
		host__push_instance(t, 0, SP + 8ull * i, word);
		/* A tail jump between two probed functions: both wait on one word. */
		host__push_instance(t, 0, SP + 8ull * i, word);
		scene__walk(SP, 0, CODE + 0x110);
		assert_end(30, LT_END_WHOLE);
		assert_int_equal(result()->hash, hash);
	}
	/* One that the kernel does not know. */
	t->instances[t->n_instances - 1].stack = t->instances[t->n_instances - 2].stack = 0;
	scene__walk(SP, 0, CODE + 0x110);
	assert_end(3, LT_END_UNMAPPED);
	assert_int_equal(scene__frame(2)->pc, HOST_TRAMPOLINE);
}

/* A return address at the start of a page is a word like others. */
static void a_return_to_the_start_of_a_page(void **how)
{
	const struct lt_row table[] = {{0x100, SP8(1)}, {0xf00, END}};

	(void)how;
	scene__start();
	scene__add_table(1, CODE, CODE + 0x2000, table, 2);
	scene__publish();
	host__poke(SP + 8, CODE + 0x1000);
	host__push_instance(host.current, 0, SP + 0x100, 0x1234);
	scene__walk(SP, 0, CODE + 0x110);
	assert_end(3, LT_END_WHOLE);
	assert_int_equal(scene__frame(2)->pc, CODE + 0x1000);
}

static u64 change_at;
static u32 *changed;
static unsigned int changes_left;

static void change(u64 address)
{
	if (address != change_at || !changes_left)
		return;
	changes_left--;
	++*changed;
}

/* It is done again, once: what changes all the time is not trusted. */
static void changes_under_a_walk(void **how)
{
	struct lt_space *space = host__space(0);
	u32 *words[] = {&space->generation, &space->stale};
	unsigned int word, step, times;
	u64 hash = hash_of(10);

	(void)how;
	for (word = 0; word < 2; word++) {
		for (step = 1; step < 8; step++) {
			for (times = 1; times < 4; times++) {
				recursion(10);
				change_at = SP + 8ull * step;
				changed = words[word];
				changes_left = times;
				host.before_read = change;
				scene__walk(SP, 0, CODE + 0x110);
				host.before_read = NULL;
				if (word == 0 && times == 1) {
					assert_end(10, LT_END_WHOLE);
					assert_int_equal(result()->hash, hash);
				} else {
					assert_end(2, LT_END_STALE);
				}
			}
		}
	}
}

/* What was read in vain, or read again with the same result. */
static void a_reading_under_a_walk(void **how)
{
	(void)how;
	recursion(10);
	change_at = SP + 8;
	changed = &host__space(0)->fresh;
	changes_left = 1;
	host.before_read = change;
	scene__walk(SP, 0, CODE + 0x110);
	host.before_read = NULL;
	assert_end(10, LT_END_WHOLE);
}

/* Other mappings while it walks: the second time it goes by these. */
static void other_mappings_under_a_walk(void **how)
{
	struct lt_mapping *all = host__array(&mappings);
	struct lt_space *space = host__space(0);

	(void)how;
	recursion(10);
	/* A reading that is the file's copy of another number, one further in the map. */
	all[2] = all[0];
	all[2].file = 9;
	all[3] = all[1];
	space->range = 2 | 2ull << 32;
	change_at = SP + 8;
	changed = &space->generation;
	changes_left = 1;
	host.before_read = change;
	scene__walk(SP, 0, CODE + 0x110);
	host.before_read = NULL;
	assert_end(10, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, lt_place(9, 0x110));
	assert_int_equal(scene__frame(9)->place, lt_place(9, 0x210));
}

static void doubtful_from_the_start(void **how)
{
	struct lt_space *space = host__space(0);

	(void)how;
	recursion(10);
	space->stale++;
	scene__walk(SP, 0, CODE + 0x110);
	assert_end(2, LT_END_STALE);
	space->fresh = space->stale;
	scene__walk(SP, 0, CODE + 0x110);
	assert_end(10, LT_END_WHOLE);
}

/* There is none: what is certain is there. */
static void without_a_space(void **how)
{
	struct pt_regs regs = {.ip = IP, .sp = SP};

	(void)how;
	recursion(10);
	host__walk(LT_NO_SPACE, &regs, CODE + 0x110, 1);
	assert_end(2, LT_END_STALE);
	assert_int_equal(scene__frame(1)->pc, CODE + 0x110);
	assert_int_equal(result()->stale, LT_NO_EPOCH);
}

static struct cached_rule *cached(u64 pc)
{
	struct cached_rule *all = host__array(&rules);
	u32 i;

	for (i = 0; i < 1u << CACHED_RULES_BITS; i++) {
		if (all[i].pc == pc)
			return &all[i];
	}
	fail_msg("not in the cache");
	return NULL;
}

static void known_places(void **how)
{
	struct lt_row *all = host__array(&rows);
	u64 hash = hash_of(10);

	(void)how;
	/* Not looked up again: the generation says that nothing has changed. */
	all[0].rule = all[1].rule = LT_RULE_NONE;
	scene__walk(SP, 0, CODE + 0x110);
	assert_end(10, LT_END_WHOLE);
	assert_int_equal(result()->hash, hash);
	host__space(0)->generation++;
	scene__walk(SP, 0, CODE + 0x110);
	assert_end(2, LT_END_NO_RULE);
}

/* Words of two writers in one entry: it is not used. */
static void torn_entries(void **how)
{
	const struct cached_rule other = {CODE + 0x5000, (u64)LT_RULE_NONE << 32 | 0x1234, lt_place(7, 0x4321)};
	u64 hash = hash_of(10);
	unsigned int words;

	(void)how;
	for (words = 1; words < 8; words++) {
		struct cached_rule *c = cached(CODE + 0x10f), before = *c;

		c->pc = words & 1 ? other.pc : c->pc;
		c->rule = words & 2 ? other.rule : c->rule;
		c->place = words & 4 ? other.place : c->place;
		scene__walk(SP, 0, CODE + 0x110);
		assert_end(10, LT_END_WHOLE);
		assert_int_equal(result()->hash, hash);
		/* And replaced. */
		assert_memory_equal(cached(CODE + 0x10f), &before, sizeof(before));
	}
}

/* The words that one pc had in two generations do not mix either. */
static void entries_of_two_generations(void **how)
{
	struct cached_rule old, *c;
	u64 hash = hash_of(10);
	unsigned int i;

	(void)how;
	old = *cached(CODE + 0x10f);
	memset(host__array(&rules), 0, sizeof(struct cached_rule) << CACHED_RULES_BITS);
	for (i = 0; i < 300; i++) {
		host__space(0)->generation++;
		scene__walk(SP, 0, CODE + 0x110);
		c = cached(CODE + 0x10f);
		assert_true((u32)c->rule != (u32)old.rule);
		old.rule ^= 5ull << 32; /* would walk elsewhere */
		*c = old;
		old.rule ^= 5ull << 32;
		scene__walk(SP, 0, CODE + 0x110);
		assert_int_equal(result()->hash, hash);
		memset(c, 0, sizeof(*c));
	}
}

/* Two files and JIT code, at these addresses. */
static u64 hash_at(u64 first, u32 file, u64 second, u32 other)
{
	const struct lt_row table[] = {{0x100, SP8(1)}, {0x200, END}};

	scene__start();
	if (first < second)
		scene__add_table(file, first, first + 0x1000, table, 2);
	scene__add_table(other, second, second + 0x1000, table, 2);
	if (first > second)
		scene__add_table(file, first, first + 0x1000, table, 2);
	scene__publish();
	host__poke(SP + 8, second + 0x110);
	host__poke(SP + 16, first + 0x210);
	scene__walk(SP, 0, first + 0x110);
	assert_end(4, LT_END_WHOLE);
	return result()->hash;
}

static void what_the_hash_says(void **how)
{
	u64 hash = hash_at(CODE, 1, CODE + 0x100000, 2);

	(void)how;
	/* The same places, loaded elsewhere, in another order. */
	assert_int_equal(hash_at(CODE + 0x5000, 1, CODE + 0x800000, 2), hash);
	assert_int_equal(hash_at(CODE + 0x800000, 1, CODE, 2), hash);
	/* Another file at the same address. */
	assert_int_not_equal(hash_at(CODE, 1, CODE + 0x100000, 3), hash);
	assert_int_not_equal(hash_at(CODE, 3, CODE + 0x100000, 2), hash);
	assert_int_not_equal(hash_at(CODE, 2, CODE + 0x100000, 1), hash);
}

/* A chain of guessed frames that ends in garbage, at any depth. */
static u64 guessed_chain(unsigned int frames, u64 garbage)
{
	const struct lt_mapping jit = {.start = CODE, .kind = LT_MAPPING_PLAIN};
	unsigned int i;

	scene__start();
	scene__add_mapping(&jit, CODE + 0x1000);
	scene__publish();
	for (i = 2; i <= frames; i++) {
		host__poke(SP + 0x20ull * i, SP + 0x20ull * (i + 1));
		host__poke(SP + 0x20ull * i + 8, i < frames ? CODE + i : garbage);
	}
	scene__walk(SP, SP + 0x40, CODE + 1);
	return result()->hash;
}

static void garbage_behind_a_guess(void **how)
{
	unsigned int frames;

	(void)how;
	for (frames = 2; frames < 40; frames++) {
		u64 hash = guessed_chain(frames, 0x1111);

		assert_end(frames, LT_END_UNMAPPED);
		assert_int_equal(flags(), LT_STACK_GUESSED);
		assert_int_equal(guessed_chain(frames, 0x2222222), hash);
		assert_end(frames, LT_END_UNMAPPED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST_ONCE(edges_of_mappings),
		HOST_TEST_ONCE(no_mappings_at_all),
		HOST_TEST_ONCE(any_number_of_mappings),
		HOST_TEST_ONCE(any_number_of_rows),
		HOST_TEST_ONCE(how_deep),
		HOST_TEST_ONCE(each_frame_counts),
		HOST_TEST_ONCE(trampolines),
		HOST_TEST_ONCE(a_return_to_the_start_of_a_page),
		HOST_TEST_ONCE(changes_under_a_walk),
		HOST_TEST_ONCE(a_reading_under_a_walk),
		HOST_TEST_ONCE(other_mappings_under_a_walk),
		HOST_TEST_ONCE(doubtful_from_the_start),
		HOST_TEST_ONCE(without_a_space),
		HOST_TEST_ONCE(known_places),
		HOST_TEST_ONCE(torn_entries),
		HOST_TEST_ONCE(entries_of_two_generations),
		HOST_TEST_ONCE(what_the_hash_says),
		HOST_TEST_ONCE(garbage_behind_a_guess),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
