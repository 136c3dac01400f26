/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Texts are compared with tests/unit/golden, from the top of the tree. When the wording changes on purpose:
 * GOLDEN_UPDATE=1 writes them anew; read the difference before it is kept.
 */
#include "report_fixture.h"

#include <errno.h>
#include <locale.h>
#include <wchar.h>

#include "account/losses.h"
#include "report/output.h"

#define GOLDEN_MAX 65536

static void check_golden(struct fixture *f, const char *path)
{
	char *text = fixture__render(f, TEXT), *want;
	bool update = getenv("GOLDEN_UPDATE");
	FILE *file = fopen(path, update ? "w" : "r");
	size_t n;

	if (!file)
		fail_msg("%s: %s (run this from the top of the tree)", path, strerror(errno));
	if (update) {
		fputs(text, file);
	} else {
		want = calloc(1, GOLDEN_MAX);
		assert_non_null(want);
		n = fread(want, 1, GOLDEN_MAX - 1, file);
		assert_true(n < GOLDEN_MAX - 1);
		if (strcmp(text, want))
			fail_msg("%s differs; got:\n%s", path, text);
		free(want);
	}
	fclose(file);
	free(text);
}

static void use_locale(const char *name)
{
	if (!setlocale(LC_CTYPE, name))
		fail_msg("no locale %s", name);
}

static void check_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in:\n%s", part, text);
}

static void check_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" in:\n%s", part, text);
}

static void test_growing_server(void **state)
{
	struct fixture f;
	struct site *s;

	(void)state;
	use_locale("C.UTF-8");
	fixture__init(&f);
	f.processes[0].failed_allocs = 3;
	f.processes[0].frees_untracked = 120;
	f.processes[0].not_hooked = &f.not_hooked;
	f.processes[0].n_not_hooked = 1;
	fixture__add_site(&f, 1);
	s = fixture__add_flat_site(&f, 2);
	s->failed_allocs = 3;
	s->failed_last_size = 1 << 30;
	s->truncated = "no frame pointer";
	s = fixture__add_flat_site(&f, 3);
	s->rises = 6;
	s->falls = 5;
	s->live_bytes = 3;
	s->live_blocks = 0;
	s->kind = SITE_MMAP;
	s->frames_lost = true;
	s->n_frames = 0;
	s = fixture__add_flat_site(&f, 4);
	s->live_bytes = s->live_blocks = 0;
	s = fixture__add_site(&f, 5);
	*s = (struct site){.id = 5,
			   .overflow = true,
			   .live_bytes = 40960,
			   .live_blocks = 15,
			   .oldest_age_s = 60,
			   .growth_bytes_per_s = 0.3,
			   .windows = 2};
	check_golden(&f, "tests/unit/golden/growing.txt");
}

/* Two processes, both gone, nothing but ASCII, everything lost. */
static void test_too_early(void **state)
{
	struct fixture f;
	struct process *p;
	struct site *s;

	(void)state;
	use_locale("C");
	fixture__init(&f);
	f.snap.windows = 2;
	f.snap.duration_s = 11.2;
	f.snap.observed_s = 9;
	f.snap.final = true;
	f.snap.end_reason = "target ended";
	f.snap.overhead.percent_of_one_cpu = 0.84;
	for (unsigned int i = 0; i < n_loss_kinds; i++)
		*(uint64_t *)((char *)&f.snap.losses + loss_kinds[i].offset) = i + 1;
	f.processes[0].end = PROCESS_EXITED;
	f.processes[0].exit_status = 9;
	f.processes[0].end_s = 11;
	f.processes[0].growth_bytes_per_s = NAN;
	p = fixture__add_process(&f, 4243, "wörker");
	p->end = PROCESS_EXECED;
	p->end_s = 3;
	p->rss_bytes = -1;
	p->pre_attach_bytes = 330 << 20;
	p->vm_children = 2;
	s = fixture__add_site(&f, 1);
	s->windows = 2;
	s->rises = 1;
	s->n_floors = 2;
	s->growth_bytes_per_s = NAN;
	s->process = 1;
	check_golden(&f, "tests/unit/golden/too_early.txt");
}

/* Hostile names, old blocks only, addresses, a narrow terminal. */
static void test_old_blocks(void **state)
{
	static const struct frame frames[] = {{.pc = 1, .module = &fixture_server, .offset = 0x66},
					      {.pc = 2, .module = &fixture_server, .offset = 0x10ff}};
	struct block blocks[14];
	struct fixture f;
	struct site *s;

	(void)state;
	use_locale("C.UTF-8");
	fixture__init(&f);
	f.processes[0].comm = "\x1b[31m\xe2\x80\xae中中";
	s = fixture__add_site(&f, 1);
	s->frames = frames;
	s->n_frames = 2;
	fixture__add_flat_site(&f, 2);
	for (unsigned int i = 0; i < COUNT(blocks); i++)
		blocks[i] = (struct block){1, 0x7f0000000000 + 16 * i, i == 3 ? 1 << 20 : i, i < 2 ? 30 : 60};
	f.report.blocks = blocks;
	f.report.n_blocks = COUNT(blocks);
	f.options.show_addresses = true;
	f.options.min_age_s = 30;
	f.options.columns = 60;
	check_golden(&f, "tests/unit/golden/old_blocks.txt");
}

static void test_quiet(void **state)
{
	struct fixture f;

	(void)state;
	use_locale("C.UTF-8");
	fixture__init(&f);
	f.options.quiet = true;
	fixture__add_site(&f, 1);
	fixture__add_flat_site(&f, 2);
	check_golden(&f, "tests/unit/golden/quiet.txt");
}

static void test_words(void **state)
{
	struct fixture f;
	struct site *s;
	char *text;

	(void)state;
	use_locale("C.UTF-8");
	fixture__init(&f);
	text = fixture__render(&f, TEXT);
	check_contains(text, "nothing lost");
	check_contains(text, "no allocation seen since the attach\n");
	check_lacks(text, "too early");
	free(text);

	/* A rise of four is no rise, and a word that is not earned is not said. */
	s = fixture__add_site(&f, 1);
	s->rises = 4;
	f.snap.losses.floors_missed = 1;
	text = fixture__render(&f, TEXT);
	check_contains(text, "#1 moving");
	check_contains(text, "rose 4 of 11");
	check_contains(text, "some detail lost, see below");
	check_contains(text, "blurred: floor updates given up under contention: 1\n");
	check_lacks(text, "rising ");
	check_lacks(text, "LOST");
	check_lacks(text, "LEAKING");
	free(text);

	f.snap.windows = 2;
	text = fixture__render(&f, TEXT);
	check_contains(text, "too early: floors can be compared from the 6th window on, in about 20 s\n");
	free(text);

	f.processes[0].n_hooked = 0;
	f.processes[0].end = PROCESS_EXITED;
	text = fixture__render(&f, TEXT);
	check_contains(text, "hooked: NOTHING");
	check_contains(text, "exited, status unknown");
	check_lacks(text, "-p 4242");
	free(text);
}

static void test_top(void **state)
{
	struct fixture f;
	char *text;

	(void)state;
	use_locale("C.UTF-8");
	fixture__init(&f);
	fixture__add_site(&f, 1);
	fixture__add_flat_site(&f, 2);
	fixture__add_flat_site(&f, 3);
	f.options.top = 1;
	text = fixture__render(&f, TEXT);
	check_contains(text, "#1 ");
	check_lacks(text, "#2 ");
	check_contains(text, "not shown: 2 sites, 8.0 KiB in 2 blocks\n");
	free(text);
	f.options.top = 0;
	text = fixture__render(&f, TEXT);
	check_contains(text, "#3 ");
	check_lacks(text, "not shown");
	free(text);
}

static void test_deep_stack(void **state)
{
	struct frame frames[127] = {};
	struct fixture f;
	struct site *s;
	char *text;

	(void)state;
	use_locale("C.UTF-8");
	for (unsigned int i = 0; i < COUNT(frames); i++)
		frames[i].pc = 0xabc000 + i;
	fixture__init(&f);
	s = fixture__add_site(&f, 1);
	s->frames = frames;
	s->n_frames = COUNT(frames);
	text = fixture__render(&f, TEXT);
	check_contains(text, "0xabc027\n     … 87 more frames\n");
	check_lacks(text, "0xabc028");
	free(text);
	s->n_frames = 40;
	text = fixture__render(&f, TEXT);
	check_contains(text, "0xabc027\n");
	check_lacks(text, "more frame");
	free(text);
	/* The last line is taken by the first of two that belong to one frame. */
	s->n_frames = 41;
	frames[39] = (struct frame){.pc = 1, .module = &fixture_server, .offset = 0x10ff};
	text = fixture__render(&f, TEXT);
	check_contains(text, "list_add (inlined)");
	check_contains(text, "… 2 more frames\n");
	check_lacks(text, "session_create");
	free(text);
}

static void test_code_made_at_run_time(void **state)
{
	const struct frame frames[] = {{.pc = 1, .module = &fixture_server, .offset = 0x66},
				       {.pc = 0x7fff1010, .jit_name = "py::f:/srv/app.py", .jit_offset = 16}};
	struct fixture f;
	struct site *s;
	char *text;

	(void)state;
	use_locale("C.UTF-8");
	fixture__init(&f);
	s = fixture__add_site(&f, 1);
	s->frames = frames;
	s->n_frames = COUNT(frames);
	text = fixture__render(&f, TEXT);
	check_contains(text, " py::f:/srv/app.py ");
	check_contains(text, " [jit]\n");
	free(text);
}

static void test_every_line_fits(void **state)
{
	struct fixture f;

	(void)state;
	use_locale("C.UTF-8");
	fixture__init(&f);
	f.processes[0].comm = "中中中中中中中中中中é";
	f.snap.losses.probe_misses = 1;
	fixture__add_site(&f, 1);
	for (unsigned int columns = 1; columns < 150; columns++) {
		char *text, *rest = NULL;

		f.options.columns = columns;
		text = fixture__render(&f, TEXT);
		for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
			assert_true(mbstowcs(NULL, line, 0) != (size_t)-1);
			assert_true(output__width(line) <= columns);
		}
		free(text);
	}
}

static void check_lines(const char *text, unsigned int columns, const char *want)
{
	char *buf = NULL;
	size_t len;
	FILE *out = open_memstream(&buf, &len);

	assert_non_null(out);
	assert_int_equal(output__write_lines(out, text, strlen(text), columns), 0);
	fclose(out);
	assert_string_equal(buf, want);
	free(buf);
}

static void test_lines(void **state)
{
	(void)state;
	use_locale("C.UTF-8");
	check_lines("", 5, "");
	check_lines("\n\n", 5, "\n\n");
	check_lines("12345\n123456\n", 5, "12345\n1234…\n");
	check_lines("éé345\néé3456\n", 5, "éé345\néé34…\n");
	check_lines("中中5\n中中56\n中中中\n", 5, "中中5\n中中…\n中中…\n");
	check_lines("no newline", 0, "no newline\n");
	use_locale("C");
	check_lines("123456\n", 5, "12...\n");
	check_lines("a\xc3\x9b\n", 0, "a\\xc3\\x9b\n"); /* 0x9b starts an escape sequence on an 8-bit terminal */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growing_server),
		cmocka_unit_test(test_too_early),
		cmocka_unit_test(test_old_blocks),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_deep_stack),
		cmocka_unit_test(test_every_line_fits),
		cmocka_unit_test(test_code_made_at_run_time),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
