/* SPDX-License-Identifier: GPL-2.0-only */
/* Readings in, snapshots out: what is summed, what is remembered, what is left out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "account/accountant.h"

#define SECOND	1000000000ull
#define STARTED (1000 * SECOND)
#define SITES	8
#define IMAGES	3

/* A reading that a test changes from one update to the next. */
static struct site_reading sites[SITES];
static struct image_reading images[IMAGES];
static struct reading reading;
static struct accountant *account;

static int set_up(void **state)
{
	static const struct account_options options = {.started = 1.5e9,
						       .started_ns = STARTED,
						       .interval_s = 5,
						       .stack_method = "frame pointers",
						       .attach_path = "perf"};
	unsigned int i;

	(void)state;
	memset(sites, 0, sizeof(sites));
	memset(images, 0, sizeof(images));
	memset(&reading, 0, sizeof(reading));
	for (i = 0; i < IMAGES; i++)
		images[i] =
			(struct image_reading){.pid = 100 + (int)i, .comm = "x", .exit_status = -1, .rss_bytes = -1};
	for (i = 0; i < SITES; i++)
		sites[i] = (struct site_reading){.id = i, .key = 0x1000 + i, .function = "malloc"};
	reading.sites = sites;
	reading.images = images;
	account = accountant__new(&options);
	return account ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	accountant__free(account);
	return 0;
}

static struct snapshot *update(double seconds, bool window_ended, unsigned int n_sites, unsigned int n_images)
{
	struct snapshot *snap;

	reading.time_ns = STARTED + (uint64_t)(seconds * SECOND);
	reading.window_ended = window_ended;
	reading.n_sites = n_sites;
	reading.n_images = n_images;
	snap = accountant__update(account, &reading);
	assert_non_null(snap);
	return snap;
}

static void assert_near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-9 * (1 + fabs(want))))
		fail_msg("%.17g is not %.17g", got, want);
}

static void nothing_seen(void **state)
{
	struct snapshot *snap = update(0.25, false, 0, 0);

	(void)state;
	assert_int_equal(snap->n_sites, 0);
	assert_int_equal(snap->n_processes, 0);
	assert_int_equal(snap->windows, 0);
	assert_near(snap->started, 1.5e9);
	assert_near(snap->duration_s, 0.25);
	assert_near(snap->observed_s, 0.25);
	assert_near(snap->interval_s, 5);
	assert_string_equal(snap->stack_method, "frame pointers");
	assert_string_equal(snap->attach_path, "perf");
	assert_int_equal(snap->audit_bytes, -1);
	assert_int_equal(snap->audit_blocks, -1);
	/* A clock that is behind the start. */
	assert_near(update(-1, true, 0, 0)->duration_s, 0);
	accountant__free(NULL);
}

static void fields_are_carried_over(void **state)
{
	static const struct frame frames[2];
	static const struct age_bin ages[] = {{0, 5, 10, 1}, {5, 10, 20, 0}, {10, 20, -5, 2}, {20, 40, 7, 0}};
	const struct site *s;
	struct snapshot *snap;

	(void)state;
	sites[0] = (struct site_reading){.key = 77,
					 .function = "calloc",
					 .live_bytes = 30,
					 .live_blocks = 3,
					 .alloc_bytes = 1000,
					 .allocs = 9,
					 .frees = 6,
					 .failed = 2,
					 .failed_size = 4096,
					 .ages = ages,
					 .n_ages = 4,
					 .frames = frames,
					 .n_frames = 2,
					 .truncated = "why"};
	sites[1].overflow = true;
	reading.losses.sites_merged = 5;
	reading.overhead.probe_hits = 6;
	snap = update(1, true, 3, 1);
	s = &snap->sites[0];
	assert_int_equal(s->id, 77);
	assert_string_equal(s->function, "calloc");
	assert_int_equal(s->kind, SITE_HEAP);
	assert_int_equal(s->live_bytes, 30);
	assert_int_equal(s->live_blocks, 3);
	assert_int_equal(s->total_alloc_bytes, 1000);
	assert_int_equal(s->total_allocs, 9);
	assert_int_equal(s->total_frees, 6);
	assert_int_equal(s->failed_allocs, 2);
	assert_int_equal(s->failed_last_size, 4096);
	/* The oldest bin that has blocks. */
	assert_near(s->oldest_age_s, 20);
	assert_ptr_equal(s->ages, ages);
	assert_ptr_equal(s->frames, frames);
	assert_string_equal(s->truncated, "why");
	assert_false(s->frames_lost);
	/* One without frames has lost them, unless it never was one place. */
	assert_false(snap->sites[1].frames_lost);
	assert_true(snap->sites[1].overflow);
	assert_true(snap->sites[2].frames_lost);
	assert_true(isnan(snap->sites[2].oldest_age_s));
	assert_int_equal(snap->losses.sites_merged, 5);
	assert_int_equal(snap->overhead.probe_hits, 6);
}

static void sums_over_sites(void **state)
{
	struct snapshot *snap;
	unsigned int i;

	(void)state;
	for (i = 0; i < SITES; i++) {
		sites[i].image = i % IMAGES;
		sites[i].live_bytes = 100 << i;
		sites[i].live_blocks = 1 << i;
	}
	images[1].allocs = 50;
	images[1].frees = 40;
	images[1].frees_untracked = 30;
	images[1].failed = 20;
	images[1].vm_children = 10;
	images[1].rss_bytes = 123;
	snap = update(5, true, SITES, IMAGES);
	assert_int_equal(snap->n_sites, SITES);
	assert_int_equal(snap->n_processes, IMAGES);
	assert_int_equal(snap->processes[0].live_blocks, 1 + 8 + 64);
	assert_int_equal(snap->processes[1].live_blocks, 2 + 16 + 128);
	assert_int_equal(snap->processes[2].live_blocks, 4 + 32);
	assert_int_equal(snap->processes[1].live_bytes, 100 * (2 + 16 + 128));
	assert_int_equal(snap->processes[1].pid, 101);
	assert_int_equal(snap->processes[1].allocs, 50);
	assert_int_equal(snap->processes[1].frees, 40);
	assert_int_equal(snap->processes[1].frees_untracked, 30);
	assert_int_equal(snap->processes[1].failed_allocs, 20);
	assert_int_equal(snap->processes[1].vm_children, 10);
	assert_int_equal(snap->processes[1].rss_bytes, 123);
	assert_int_equal(snap->processes[1].pre_attach_bytes, -1);
	assert_int_equal(snap->processes[1].end, PROCESS_RUNS);
	assert_true(isnan(snap->processes[1].end_s));
	/* Again: sums of one moment, not of two. */
	snap = update(6, false, SITES, IMAGES);
	assert_int_equal(snap->n_sites, SITES);
	assert_int_equal(snap->processes[2].live_blocks, 4 + 32);
}

static void memory_of_an_image_that_was_replaced(void **state)
{
	struct snapshot *snap;

	(void)state;
	sites[0].live_bytes = 100;
	sites[1].live_bytes = 10;
	sites[1].image = 1;
	images[0].end = IMAGE_EXECED;
	images[0].end_ns = STARTED + 3 * SECOND;
	snap = update(5, true, 2, 2);
	assert_int_equal(snap->n_sites, 1);
	assert_int_equal(snap->sites[0].process, 1);
	assert_int_equal(snap->n_processes, 2);
	assert_int_equal(snap->processes[0].end, PROCESS_EXECED);
	assert_near(snap->processes[0].end_s, 3);
	assert_int_equal(snap->processes[0].live_bytes, 0);
	assert_int_equal(snap->processes[1].live_bytes, 10);
}

static void floors_of_windows(void **state)
{
	static const struct {
		bool ended, known;
		uint64_t floor;
		int64_t live;
	} steps[] = {
		{true, true, 0, 100},  {false, true, 7, 300},  {true, true, 50, 400}, {true, false, 0, 400},
		{true, true, 20, 500}, {true, false, 999, -3}, {true, false, 0, 5},
	};
	static const uint64_t want[] = {0, 50, 400, 20, 0, 5};
	struct snapshot *snap = NULL;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		sites[0].floor_known = steps[i].known;
		sites[0].floor = steps[i].floor;
		sites[0].live_bytes = steps[i].live;
		snap = update(5.0 * (i + 1), steps[i].ended, 1, 1);
		assert_int_equal(snap->sites[0].live_bytes, steps[i].live);
	}
	assert_int_equal(snap->windows, 6);
	assert_int_equal(snap->sites[0].windows, 6);
	assert_int_equal(snap->sites[0].n_floors, 6);
	assert_memory_equal(snap->sites[0].floors, want, sizeof(want));
	assert_int_equal(snap->sites[0].rises, 3);
	assert_int_equal(snap->sites[0].falls, 2);
}

/* Those that come later have floors of their own windows only; numbers may be far apart, as those of overflow sites. */
static void sites_that_come_later(void **state)
{
	struct snapshot *snap = NULL;
	unsigned int i;

	(void)state;
	sites[1].id = 3;
	sites[2].id = 1048576 + 255;
	for (i = 1; i <= 20; i++) {
		sites[0].live_bytes = 10 * i;
		sites[1].live_bytes = i > 15 ? 35 * i : 0;
		sites[2].live_bytes = 5 * i;
		snap = update(5 * i, true, i > 10 ? 3 : 1, 1);
	}
	assert_int_equal(snap->sites[0].windows, 20);
	assert_int_equal(snap->sites[1].windows, 10);
	assert_int_equal(snap->sites[2].windows, 10);
	assert_int_equal(snap->sites[2].rises, 9);
	assert_int_equal(snap->sites[1].rises, 5);
	assert_near(snap->sites[0].growth_bytes_per_s, 2);
	assert_near(snap->sites[2].growth_bytes_per_s, 1);
	/* Out of order, and away for a moment. */
	sites[0].id = 1048576 + 255;
	sites[1].id = 0;
	snap = update(105, true, 2, 1);
	assert_int_equal(snap->sites[0].windows, 11);
	assert_int_equal(snap->sites[1].windows, 21);
}

static void growth_of_processes(void **state)
{
	struct snapshot *snap = NULL;
	unsigned int i, both;

	(void)state;
	sites[1].image = 1;
	for (i = 1; i <= 100; i++) {
		both = i < 49 ? 1 : 2;
		sites[0].live_bytes = i > 1 ? 500 * i : 77777;
		sites[1].live_bytes = 20 * i;
		snap = update(5 * i, true, both, both);
		if (i < 4)
			assert_true(isnan(snap->processes[0].growth_bytes_per_s));
		else
			assert_near(snap->processes[0].growth_bytes_per_s, 100);
		if (i >= 49 && i < 52)
			assert_true(isnan(snap->processes[1].growth_bytes_per_s));
	}
	assert_near(snap->processes[1].growth_bytes_per_s, 4);
	/* Between windows nothing changes. */
	sites[0].live_bytes = 0;
	snap = update(501, false, 2, 2);
	assert_near(snap->processes[0].growth_bytes_per_s, 100);
	assert_int_equal(snap->windows, 100);
}

/* What a process grew by is said of the windows in which it ran, however long the trace goes on. */
static void growth_of_a_process_that_exited(void **state)
{
	struct snapshot *snap = NULL;
	unsigned int i;

	(void)state;
	for (i = 1; i <= 6; i++) {
		sites[0].live_bytes = 100 * i;
		snap = update(10 * i, true, 1, 2);
	}
	assert_near(snap->processes[0].growth_bytes_per_s, 10);
	images[0].end = IMAGE_EXITED;
	images[0].end_ns = STARTED + 60 * SECOND;
	images[0].exit_status = 256;
	for (i = 1; i <= 200; i++) {
		snap = update(60 + i, true, 1, 2);
		assert_int_equal(snap->processes[0].end, PROCESS_EXITED);
		assert_int_equal(snap->processes[0].exit_status, 256);
		assert_int_equal(snap->processes[0].live_bytes, 600);
		assert_near(snap->processes[0].end_s, 60);
		assert_near(snap->processes[0].growth_bytes_per_s, 10);
		assert_near(snap->sites[0].growth_bytes_per_s, 10);
		assert_int_equal(snap->sites[0].windows, 6);
		assert_near(snap->processes[1].growth_bytes_per_s, 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_seen),	   TEST(fields_are_carried_over),
		TEST(sums_over_sites),	   TEST(memory_of_an_image_that_was_replaced),
		TEST(floors_of_windows),   TEST(sites_that_come_later),
		TEST(growth_of_processes), TEST(growth_of_a_process_that_exited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
