/* SPDX-License-Identifier: GPL-2.0-only */
/* Walks that ask the kernel what is mapped where: what user space does not know yet, or may have wrong. */
#include "host_vma.h"
#include "host_walk.h"

#define END    LT_RULE_END
#define SP8(n) (LT_RULE_SP | (n) << 9) /* a frame of n words */

#define LIB    (CODE + 0x100000) /* a library that user space has not seen */
#define NUMBER 7
#define WRONG  3

static const struct lt_row table[] = {{0x100, SP8(1)}, {0x200, END}, {0x1100, SP8(2)}, {0x1200, END}};

static struct walk *result(void)
{
	return &host.current->state.walk;
}

/* What the kernel side knows of a file, by its inode; the rows of the table come first in the map. */
static void know(unsigned int file, const struct lt_file *f)
{
	struct lt_file_key key = host__file_key(file);

	assert_int_equal(bpf_map_update_elem(&files, &key, f, 0), 0);
}

static void know_library(unsigned int file, u32 number)
{
	const struct lt_file f = {.file = number,
				  .first = 0,
				  .n = 4,
				  .n_segments = 1,
				  .segments = {{.offset = 0x1000, .size = 0x2000, .bias = 0x1000}}};

	know(file, &f);
}

/* A program that ends at once, with the table of the library's rows; a kernel that can be asked. */
static void start(void)
{
	scene__start();
	host__forget_vmas();
	host_find_vma = true;
	scene__add_table(1, CODE, CODE + 0x1000, table, 4);
	scene__publish();
}

static void walks_from(u64 ret, unsigned int n, unsigned int end)
{
	scene__walk(SP, 0, ret);
	assert_end(n, end);
}

static void what_is_known_is_not_asked(void **how)
{
	(void)how;
	start();
	host__map(CODE, CODE + 0x1000, 0, 0, false);
	walks_from(CODE + 0x210, 2, LT_END_WHOLE);
	assert_int_equal(host__times_asked(), 0);
	host_find_vma = false;
	walks_from(LIB + 0x210, 2, LT_END_UNMAPPED);
	assert_int_equal(host__times_asked(), 0);
}

/* In the middle of a stack of known code. */
static void a_library_that_was_just_loaded(void **how)
{
	(void)how;
	start();
	host__map(LIB, LIB + 0x2000, 1, 0x1000, true);
	know_library(1, NUMBER);
	host__poke(SP + 8, LIB + 0x110);
	host__poke(SP + 16, LIB + 0x1110);
	host__poke(SP + 32, CODE + 0x210);
	walks_from(CODE + 0x110, 5, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, lt_place(1, 0x110));
	assert_int_equal(scene__frame(2)->place, lt_place(NUMBER, 0x110));
	assert_int_equal(scene__frame(3)->place, lt_place(NUMBER, 0x1110));
	assert_int_equal(scene__frame(4)->place, lt_place(1, 0x210));
	assert_int_equal(host__times_asked(), 2);
}

/* The kernel and the copy of its mappings make one site. */
static void the_same_hash(void **how)
{
	u64 hash;

	(void)how;
	start();
	host__map(LIB, LIB + 0x2000, 1, 0x1000, true);
	know_library(1, NUMBER);
	host__poke(SP + 8, LIB + 0x210);
	walks_from(LIB + 0x110, 3, LT_END_WHOLE);
	hash = result()->hash;
	scene__start();
	scene__add_table(NUMBER, LIB, LIB + 0x2000, table, 4);
	scene__publish();
	host__forget_vmas();
	host__poke(SP + 8, LIB + 0x210);
	walks_from(LIB + 0x110, 3, LT_END_WHOLE);
	assert_int_equal(host__times_asked(), 0);
	assert_int_equal(result()->hash, hash);
}

/* Each has its own distance to the rows; what lies in none is not the file's code. */
static void segments_of_a_file(void **how)
{
	static const struct lt_file f = {.file = NUMBER,
					 .n = 4,
					 .n_segments = 3,
					 .segments = {{.offset = 0x1000, .size = 0x800, .bias = 0x1000},
						      {.offset = 0x3000, .size = 0x1000, .bias = 0x2000},
						      {.offset = 0x5000, .size = 0x10, .bias = 0x5000 - 0x200}}};
	const struct {
		u64 offset; /* of the call's last byte in the file */
		unsigned int end;
		u64 place; /* of the return */
	} cases[] = {
		{0x1000, LT_END_IMPLAUSIBLE, lt_place(NUMBER, 1)},
		{0x1210, LT_END_WHOLE, lt_place(NUMBER, 0x211)},
		{0x17ff, LT_END_WHOLE, lt_place(NUMBER, 0x800)},
		{0x1800, LT_END_UNMAPPED, 0},
		{0x3000, LT_END_WHOLE, lt_place(NUMBER, 0x1001)},
		{0x3fff, LT_END_WHOLE, lt_place(NUMBER, 0x2000)},
		{0x4000, LT_END_UNMAPPED, 0},
		{0x5000, LT_END_WHOLE, lt_place(NUMBER, 0x201)},
		{0x500f, LT_END_WHOLE, lt_place(NUMBER, 0x210)},
		{0x5010, LT_END_UNMAPPED, 0},
		{0x3100, LT_END_UNREADABLE, lt_place(NUMBER, 0x1101)},
		{0, LT_END_UNMAPPED, 0},
		/* Nothing before: the code was entered at its first byte. */
		{0xfff, LT_END_IMPLAUSIBLE, lt_place(NUMBER, 0)},
		{0x2fff, LT_END_WHOLE, lt_place(NUMBER, 0x1000)},
	};
	unsigned int i;

	(void)how;
	start();
	host__map(LIB, LIB + 0x6000, 1, 0, true);
	know(1, &f);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		walks_from(LIB + cases[i].offset + 1, 2, cases[i].end);
		assert_int_equal(scene__frame(1)->place, cases[i].place);
	}
}

/* More than there can be: the map is written by user space, but the walker's bounds are its own. */
static void too_many_segments(void **how)
{
	struct lt_file f = {.file = NUMBER, .n = 4, .n_segments = ~0u};

	(void)how;
	start();
	host__map(LIB, LIB + 0x6000, 1, 0, true);
	know(1, &f);
	walks_from(LIB + 0x211, 2, LT_END_UNMAPPED);
}

/* A pc is an offset; its frame pointer is assumed. */
static void a_file_without_rows(void **how)
{
	const struct lt_file f = {.file = NUMBER};

	(void)how;
	start();
	host__map(LIB, LIB + 0x2000, 1, 0x5000, true);
	know(1, &f);
	walks_from(LIB + 0x211, 2, LT_END_IMPLAUSIBLE);
	assert_int_equal(scene__frame(1)->place, lt_place(NUMBER, 0x5211));
	assert_int_equal(host.current->state.stack.flags, 0);
}

/* By device and inode; one that user space has not read cannot be walked through. */
static void which_file(void **how)
{
	(void)how;
	start();
	know_library(0, 10);
	know_library(1, 11);
	know_library(2, 12);
	host__map(LIB, LIB + 0x2000, 0, 0x1000, true);
	host__map(LIB + 0x2000, LIB + 0x4000, 1, 0x1000, true);
	host__map(LIB + 0x4000, LIB + 0x6000, 2, 0x1000, true);
	host__map(LIB + 0x6000, LIB + 0x8000, 3, 0x1000, true);
	walks_from(LIB + 0x210, 2, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, lt_place(10, 0x210));
	walks_from(LIB + 0x2210, 2, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, lt_place(11, 0x210));
	walks_from(LIB + 0x4210, 2, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, lt_place(12, 0x210));
	walks_from(LIB + 0x6210, 2, LT_END_UNMAPPED);
	assert_int_equal(scene__frame(1)->place, 0);
	/* Nothing is mapped there. */
	walks_from(LIB + 0x8211, 1, LT_END_IMPLAUSIBLE);
}

/* Code that was made at run time. */
static void no_file(void **how)
{
	u64 fp = SP + 0x400;

	(void)how;
	start();
	host__map(LIB, LIB + 0x1000, HOST_NO_FILE, 0, true);
	host__poke(fp, 0);
	host__poke(fp + 8, CODE + 0x210);
	scene__walk(SP, fp, LIB + 0x300);
	assert_end(3, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, (LIB + 0x300) | LT_PLACE_PC);
	assert_int_equal(host.current->state.stack.flags, LT_STACK_GUESSED);
}

/* Nobody returns there: no frame, and no part of a site. */
static void no_code(void **how)
{
	u64 hash;

	(void)how;
	start();
	host__map(LIB, LIB + 0x1000, HOST_NO_FILE, 0, false);
	host__map(LIB + 0x1000, LIB + 0x2000, 1, 0x1000, false);
	know_library(1, NUMBER);
	host__poke(SP + 8, LIB + 0x210);
	walks_from(CODE + 0x110, 2, LT_END_IMPLAUSIBLE);
	hash = result()->hash;
	host__poke(SP + 8, LIB + 0x1220);
	walks_from(CODE + 0x110, 2, LT_END_IMPLAUSIBLE);
	assert_int_equal(result()->hash, hash);
	walks_from(LIB + 0x210, 1, LT_END_IMPLAUSIBLE);
}

/* Behind a guess even what may be code is dropped, if it is in nothing that is known. */
static void a_guess_into_an_unknown_file(void **how)
{
	u64 fp = SP + 0x400, hash;

	(void)how;
	start();
	host__map(LIB, LIB + 0x1000, HOST_NO_FILE, 0, true);
	host__map(LIB + 0x1000, LIB + 0x2000, 1, 0, true);
	host__poke(fp, 0);
	host__poke(fp + 8, LIB + 0x1210);
	scene__walk(SP, fp, LIB + 0x300);
	assert_end(2, LT_END_UNMAPPED);
	hash = result()->hash;
	host__poke(fp + 8, LIB + 0x1220);
	scene__walk(SP, fp, LIB + 0x300);
	assert_end(2, LT_END_UNMAPPED);
	assert_int_equal(result()->hash, hash);
}

/* The kernel maps it without a file, but it has a table and is never unmapped. */
static void the_vdso(void **how)
{
	const struct lt_mapping vdso = {
		.start = LIB, .bias = LIB, .first = 0, .n = 4, .file = NUMBER, .kind = LT_MAPPING_VDSO};
	unsigned int doubtful;

	(void)how;
	start();
	scene__add_mapping(&vdso, LIB + 0x2000);
	scene__publish();
	host__map(LIB, LIB + 0x2000, HOST_NO_FILE, 0, true);
	for (doubtful = 0; doubtful < 2; doubtful++) {
		host__poke(SP + 8, LIB + 0x210);
		walks_from(LIB + 0x110, 3, LT_END_WHOLE);
		assert_int_equal(scene__frame(1)->place, lt_place(NUMBER, 0x110));
		assert_int_equal(scene__frame(2)->place, lt_place(NUMBER, 0x210));
		assert_int_equal(host.current->state.stack.flags, 0);
		assert_int_equal(host__times_asked(), doubtful ? 2 : 0);
		host__space(0)->stale++;
	}
}

/* A library was replaced by another at its address, and user space has not looked: nothing it says is used. */
static void mappings_in_doubt(void **how)
{
	struct lt_space *space = host__space(0);

	(void)how;
	start();
	scene__add_table(WRONG, LIB, LIB + 0x2000, (struct lt_row[]){{0, LT_RULE_NONE}}, 1);
	scene__publish();
	host__map(LIB, LIB + 0x2000, 1, 0x1000, true);
	know_library(1, NUMBER);
	/* As it was: it is in the cache of places, too. */
	walks_from(LIB + 0x110, 2, LT_END_NO_RULE);
	assert_int_equal(scene__frame(1)->place, lt_place(WRONG, 0x110));
	space->stale++;
	host__poke(SP + 8, LIB + 0x210);
	walks_from(LIB + 0x110, 3, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, lt_place(NUMBER, 0x110));
	assert_int_equal(scene__frame(2)->place, lt_place(NUMBER, 0x210));
	assert_int_equal(host__times_asked(), 2);
	/* What the program is, the kernel must say as well. */
	walks_from(CODE + 0x210, 1, LT_END_IMPLAUSIBLE);
	host_find_vma = false;
	walks_from(CODE + 0x210, 2, LT_END_STALE);
	assert_int_equal(scene__frame(1)->place, 0);
	/* Read again, and it was as before. */
	space->fresh = space->stale;
	walks_from(LIB + 0x110, 2, LT_END_NO_RULE);
	assert_int_equal(scene__frame(1)->place, lt_place(WRONG, 0x110));
}

/* The generation, which is their key, says nothing about what the kernel was asked for. */
static void answers_are_not_kept(void **how)
{
	unsigned int doubtful;

	(void)how;
	start();
	for (doubtful = 0; doubtful < 2; doubtful++) {
		host__forget_vmas();
		host__map(LIB, LIB + 0x2000, 1, 0x1000, true);
		know_library(1, NUMBER);
		walks_from(LIB + 0x210, 2, LT_END_WHOLE);
		assert_int_equal(scene__frame(1)->place, lt_place(NUMBER, 0x210));
		know_library(1, NUMBER + 1);
		walks_from(LIB + 0x210, 2, LT_END_WHOLE);
		assert_int_equal(scene__frame(1)->place, lt_place(NUMBER + 1, 0x210));
		host__forget_vmas();
		walks_from(LIB + 0x210, 1, LT_END_IMPLAUSIBLE);
		host__space(0)->stale++;
	}
}

/* The return address of a call that is a mapping's last instruction lies in the next one. */
static void the_end_of_a_mapping(void **how)
{
	(void)how;
	start();
	know_library(1, NUMBER);
	know_library(2, NUMBER + 1);
	host__map(LIB, LIB + 0x1000, 1, 0x1000, true);
	host__map(LIB + 0x1000, LIB + 0x2000, 2, 0x1000, true);
	walks_from(LIB + 0x1000, 2, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, lt_place(NUMBER, 0x1000));
	walks_from(LIB + 0x1210, 2, LT_END_WHOLE);
	assert_int_equal(scene__frame(1)->place, lt_place(NUMBER + 1, 0x210));
}

/* All at once: what user space knows is walked by its copy, to which an answer is no word. */
static void between_known_frames(void **how)
{
	unsigned int i;

	(void)how;
	start();
	host__map(LIB, LIB + 0x2000, 1, 0x1000, true);
	know_library(1, NUMBER);
	for (i = 1; i < 20; i++)
		host__poke(SP + 8ull * i, (i & 1 ? LIB : CODE) + 0x110 + i);
	host__poke(SP + 8 * 20, CODE + 0x210);
	walks_from(CODE + 0x110, 22, LT_END_WHOLE);
	for (i = 1; i < 20; i++)
		assert_int_equal(scene__frame(i + 1)->place, lt_place(i & 1 ? NUMBER : 1, 0x110 + i));
	assert_int_equal(host__times_asked(), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST_ONCE(what_is_known_is_not_asked),
		HOST_TEST_ONCE(a_library_that_was_just_loaded),
		HOST_TEST_ONCE(the_same_hash),
		HOST_TEST_ONCE(segments_of_a_file),
		HOST_TEST_ONCE(too_many_segments),
		HOST_TEST_ONCE(a_file_without_rows),
		HOST_TEST_ONCE(which_file),
		HOST_TEST_ONCE(no_file),
		HOST_TEST_ONCE(no_code),
		HOST_TEST_ONCE(a_guess_into_an_unknown_file),
		HOST_TEST_ONCE(the_vdso),
		HOST_TEST_ONCE(mappings_in_doubt),
		HOST_TEST_ONCE(answers_are_not_kept),
		HOST_TEST_ONCE(the_end_of_a_mapping),
		HOST_TEST_ONCE(between_known_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
