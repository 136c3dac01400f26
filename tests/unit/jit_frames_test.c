/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of code made at run time, from the record of a stack to their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "collect/stacks.h"

#define JIT 0x10000 /* below mmap_min_addr: nothing is mapped there */

static char path[64];

static int clean_up(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

struct world {
	struct images images;
	struct image *img;
	struct stacks stacks;
	uint32_t next_site;
};

static void world__init(struct world *w)
{
	*w = (struct world){.images.modules = module_table__new()};
	w->img = images__add(&w->images, getpid());
	assert_non_null(w->img);
	w->img->slot = 1;
	assert_int_equal(stacks__init(&w->stacks, 1000, NULL), 0);
}

static void world__free(struct world *w)
{
	stacks__free(&w->stacks);
	images__free(&w->images);
	module_table__free(w->images.modules);
}

/* A function of a file, called by code made at run time, called by code of a file. */
static const struct frame *add_stack(struct world *w, uint64_t jit)
{
	struct lt_rec_stack rec = {.type = LT_REC_STACK, .site = w->next_site++, .slot = 1, .n = 3};

	rec.frames[0].pc = (uintptr_t)getpid;
	rec.frames[1].pc = jit;
	rec.frames[2].pc = (uintptr_t)add_stack + 1;
	assert_int_equal(stacks__add(&w->stacks, &w->images, 0, &rec, sizeof(rec)), 0);
	assert_int_equal(w->stacks.by_site[rec.site].n, 3);
	return w->stacks.by_site[rec.site].frames;
}

static void write_file(const char *how, const char *text)
{
	__cleanup_fclose FILE *f = fopen(path, how);

	assert_non_null(f);
	fputs(text, f);
}

static void names_when_a_stack_arrives(void **state)
{
	const struct frame *early, *named, *late;
	struct world w;

	(void)state;
	world__init(&w);
	early = add_stack(&w, JIT + 16);
	write_file("w", "10000 10 one\n");
	/* The return address is the first byte after the function: the call is in it. */
	named = add_stack(&w, JIT + 16);
	write_file("a", "10000 10 two\n");
	late = add_stack(&w, JIT + 16);
	assert_null(early[1].jit_name);
	assert_string_equal(named[1].jit_name, "one");
	assert_int_equal(named[1].jit_offset, 16);
	assert_string_equal(late[1].jit_name, "two");
	assert_null(add_stack(&w, JIT + 17)[1].jit_name);
	assert_null(add_stack(&w, JIT)[1].jit_name);
	assert_non_null(named[0].module);
	assert_null(named[0].jit_name);
	assert_null(named[1].module);
	assert_non_null(named[2].module);
	assert_null(named[2].jit_name);
	world__free(&w);
}

/* The pid may be another's by now. */
static void not_after_the_end(void **state)
{
	struct world w;

	(void)state;
	world__init(&w);
	write_file("w", "10000 10 one\n");
	add_stack(&w, JIT + 16);
	w.img->end = IMAGE_EXITED;
	write_file("a", "10000 10 two\n20000 10 three\n");
	assert_string_equal(add_stack(&w, JIT + 16)[1].jit_name, "one");
	assert_null(add_stack(&w, 2 * JIT + 16)[1].jit_name);
	world__free(&w);
	world__init(&w);
	w.img->end = IMAGE_EXITED;
	assert_null(add_stack(&w, JIT + 16)[1].jit_name);
	world__free(&w);
}

/* Another large file for each stack: after some, what was known has to do. */
static void file_that_changes_all_the_time(void **state)
{
	uint64_t begin = clock__mono_ns(), before, longest = 0;
	char other[2][80];
	struct world w;
	int i, n;

	(void)state;
	world__init(&w);
	for (i = 0; i < 2; i++) {
		__cleanup_fclose FILE *f = NULL;

		snprintf(other[i], sizeof(other[i]), "%s.%d", path, i);
		f = fopen(other[i], "w");
		for (n = 0; n < 50000; n++)
			fprintf(f, "%x 10 function_%d_%d\n", JIT + 16 * n, i, n);
	}
	for (n = 0; n < 100; n++) {
		unlink(path);
		assert_int_equal(link(other[n % 2], path), 0);
		before = w.img->jit_spent_ns;
		assert_non_null(add_stack(&w, JIT + 16)[1].jit_name);
		if (w.img->jit_spent_ns - before > longest)
			longest = w.img->jit_spent_ns - before;
	}
	assert_true(w.img->jit_spent_ns > 0);
	assert_true(w.img->jit_spent_ns < NSEC_PER_SEC / 4 + (clock__mono_ns() - begin) / 32 + longest);
	for (i = 0; i < 2; i++)
		unlink(other[i]);
	world__free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(names_when_a_stack_arrives, clean_up),
		cmocka_unit_test_teardown(not_after_the_end, clean_up),
		cmocka_unit_test_teardown(file_that_changes_all_the_time, clean_up),
	};

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	umask(022);
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
