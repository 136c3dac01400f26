/* SPDX-License-Identifier: GPL-2.0-only */
/* report_fixture: a hand-made snapshot to report on, and a symbolizer that knows four functions. */
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "account/snapshot.h"
#include "judge/verdict.h"
#include "report/report.h"
#include "select/module.h"
#include "symbolize/symbolizer.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Anything that is not NULL: the fake below does not look at it. */
#define FAKE_SYMBOLIZER ((struct symbolizer *)&fixture_libc)

static struct module fixture_libc = {
	.path = (char *)"/usr/lib/libc.so.6", .fd = -1, .root_fd = -1, .build_id = {0xab, 0xcd}, .build_id_len = 2};
static struct module fixture_server = {.path = (char *)"/srv/server", .fd = -1, .root_fd = -1};

/* What the tests see of the lookups. */
static uint64_t fixture_last_offset;

struct symbols symbolizer__lookup(struct symbolizer *s, const struct module *m, uint64_t offset)
{
	static const struct symbol malloc_ = {.name = "malloc"};
	static const struct symbol create[] = {
		{.name = "list_add", .file = "/src/include/list.h", .line = 31, .inlined = true},
		{.name = "session_create", .offset = 0x1f, .file = "/src/session.c", .line = 412}};
	static const struct symbol login = {.name = "handle_login", .offset = 0x7, .file = "login.c", .line = 88};
	static const struct symbol hostile = {.name = "f\x1b[2J\xff", .file = "a/\n.c", .line = 1};
	static const struct symbol nameless = {};

	(void)s;
	fixture_last_offset = offset;
	if (m == &fixture_libc)
		return (struct symbols){&malloc_, 1};
	switch (offset) {
	case 0x10ff:
		return (struct symbols){create, 2};
	case 0x20ff:
		return (struct symbols){&login, 1};
	case 0x66:
		return (struct symbols){&hostile, 1};
	default:
		return (struct symbols){&nameless, 1};
	}
}

static const struct frame fixture_frames[] = {
	{.pc = 0x7f0000001000, .module = &fixture_libc, .offset = 0x1000},
	{.pc = 0x555500001100, .module = &fixture_server, .offset = 0x1100, .is_return_address = true},
	{.pc = 0x555500002100, .module = &fixture_server, .offset = 0x2100, .is_return_address = true},
	{.pc = 0x555500003100, .module = &fixture_server, .offset = 0x3100, .is_return_address = true},
	{.pc = 0x7fffdeadbeef, .is_return_address = true},
};

static const uint64_t fixture_floors[] = {0,	    5 << 20,  10 << 20, 15 << 20, 20 << 20, 25 << 20,
					  30 << 20, 35 << 20, 40 << 20, 45 << 20, 50 << 20, 60 << 20};
static const uint64_t fixture_flat[] = {4096, 4096, 4096, 4096, 4096, 4096, 4096, 4096};
static const struct age_bin fixture_ages[] = {
	{0, 5, 6 << 20, 60000}, {5, 30, 20 << 20, 200000}, {30, 60, 40 << 20, 281002}};
static const char *const fixture_functions[] = {"malloc", "free"};

struct fixture {
	struct snapshot snap;
	struct process processes[2];
	struct hooked_module hooked;
	struct not_hooked not_hooked;
	struct site sites[8];
	struct judgement judgement;
	struct report report;
	struct report_options options;
};

static inline struct process *fixture__add_process(struct fixture *f, pid_t pid, const char *comm)
{
	struct process *p = &f->processes[f->snap.n_processes++];

	*p = (struct process){.pid = pid,
			      .start_time = 1700000000.25,
			      .comm = comm,
			      .exe = "/srv/server",
			      .end_s = NAN,
			      .exit_status = -1,
			      .live_bytes = 69310874,
			      .live_blocks = 541018,
			      .allocs = 600000,
			      .frees = 58998,
			      .pre_attach_bytes = -1,
			      .rss_bytes = 412 << 20,
			      .growth_bytes_per_s = 1153433.6,
			      .hooked = &f->hooked,
			      .n_hooked = 1};
	return p;
}

/* A site that rose in each of 12 windows. */
static inline struct site *fixture__add_site(struct fixture *f, uint64_t id)
{
	struct site *s = &f->sites[f->snap.n_sites++];

	*s = (struct site){.id = id,
			   .function = "malloc",
			   .live_bytes = 66 << 20,
			   .live_blocks = 541002,
			   .total_alloc_bytes = 80 << 20,
			   .total_allocs = 600000,
			   .total_frees = 58998,
			   .oldest_age_s = 58,
			   .growth_bytes_per_s = 1153433.6,
			   .windows = 12,
			   .rises = 11,
			   .floors = fixture_floors,
			   .n_floors = COUNT(fixture_floors),
			   .ages = fixture_ages,
			   .n_ages = COUNT(fixture_ages),
			   .frames = fixture_frames,
			   .n_frames = COUNT(fixture_frames)};
	return s;
}

/* A site set up once. */
static inline struct site *fixture__add_flat_site(struct fixture *f, uint64_t id)
{
	struct site *s = fixture__add_site(f, id);

	s->live_bytes = 4096;
	s->live_blocks = 1;
	s->rises = 0;
	s->growth_bytes_per_s = 0;
	s->floors = fixture_flat;
	s->n_floors = COUNT(fixture_flat);
	s->n_ages = 0;
	s->n_frames = 2;
	return s;
}

/* One running process without sites, 12 windows old. */
static inline void fixture__init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->hooked = (struct hooked_module){&fixture_libc, "libc", fixture_functions, 2};
	f->not_hooked = (struct not_hooked){"/usr/lib/libodd.so", "no symbol table"};
	f->snap = (struct snapshot){.started = 1700000000.5,
				    .duration_s = 60,
				    .observed_s = 60,
				    .interval_s = 5,
				    .windows = 12,
				    .stack_method = "frame pointers",
				    .attach_path = "session",
				    .processes = f->processes,
				    .sites = f->sites,
				    .audit_bytes = -1,
				    .audit_blocks = -1};
	f->snap.overhead = (struct overhead){1234567, NAN, 0.42, NAN};
	f->report = (struct report){.snap = &f->snap,
				    .judgement = &f->judgement,
				    .symbolizer = FAKE_SYMBOLIZER,
				    .version = "0.1",
				    .host = "web1",
				    .kernel = "6.1.0"};
	f->options.top = 10;
	fixture__add_process(f, 4242, "session-server");
}

/* Both formats as text; the caller frees. */
enum fixture_format { TEXT, JSON_LINES, JSON_PRETTY };

static inline char *fixture__render(struct fixture *f, enum fixture_format format)
{
	char *buf = NULL;
	size_t len;
	FILE *out = open_memstream(&buf, &len);
	int err;

	assert_non_null(out);
	assert_int_equal(judge__snapshot(&f->snap, &f->judgement), 0);
	if (format == TEXT)
		err = report_text__write(out, &f->report, &f->options);
	else
		err = report_json__write(out, &f->report, &f->options, format == JSON_LINES);
	assert_int_equal(err, 0);
	assert_int_equal(fclose(out), 0);
	judgement__free(&f->judgement);
	assert_int_equal(strlen(buf), len);
	return buf;
}
