/* SPDX-License-Identifier: GPL-2.0-only */
/* Images of processes: what is known of one that is gone before user space looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi.h"
#include "collect/images.h"
#include "select/process_info.h"

/* A pid that no process has: of a child that was waited for. */
static pid_t dead_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static struct lt_rec_process record(const char *comm, uint64_t start_boottime)
{
	struct lt_rec_process rec = {.type = LT_REC_EXEC, .slot = LT_NO_SLOT, .start_boottime = start_boottime};

	memcpy(rec.comm, comm, strnlen(comm, LT_COMM_SIZE));
	return rec;
}

static void an_image_that_is_gone_has_its_record(void **state)
{
	struct lt_rec_process rec = record("short-lived", 5000000000);
	struct images all = {};
	struct image *img = images__add(&all, dead_pid());

	(void)state;
	assert_non_null(img);
	assert_string_equal(img->comm, "");
	image__learn(img, &rec);
	assert_string_equal(img->comm, "short-lived");
	assert_true(img->start_time == process_info__start_time(5000000000));
	assert_null(img->exe);
	images__free(&all);
}

static void the_record_names_an_image_that_runs(void **state)
{
	struct lt_rec_process rec = record("at its exec", 1);
	struct process_info info;
	struct images all = {};
	struct image *img = images__add(&all, getpid());

	(void)state;
	assert_non_null(img);
	assert_int_equal(process_info__read(getpid(), &info), 0);
	assert_string_equal(img->comm, info.comm);
	image__learn(img, &rec);
	assert_string_equal(img->comm, "at its exec");
	assert_true(img->start_time == info.start_time);
	assert_non_null(img->exe);
	images__free(&all);
}

/* Sixteen bytes without an end, and bytes that mean something to a terminal. */
static void hostile_names(void **state)
{
	struct lt_rec_process rec = record("0123456789abcdef", 1);
	struct images all = {};
	struct image *img = images__add(&all, dead_pid());

	(void)state;
	assert_non_null(img);
	image__learn(img, &rec);
	assert_string_equal(img->comm, "0123456789abcdef");
	memset(rec.comm, 0x1b, sizeof(rec.comm) - 1);
	rec.comm[sizeof(rec.comm) - 1] = '\0';
	image__learn(img, &rec);
	assert_int_equal(strlen(img->comm), 4 * (LT_COMM_SIZE - 1));
	assert_memory_equal(img->comm, "\\x1b\\x1b", 8);
	images__free(&all);
}

/* As /proc/PID/stat, which has clock ticks: one process has one start, whoever tells it. */
static void a_start_is_the_same_from_both_sides(void **state)
{
	uint64_t tick_ns = 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	struct process_info info;

	(void)state;
	assert_int_equal(process_info__read(getpid(), &info), 0);
	assert_true(process_info__start_time(info.start_ticks * tick_ns) == info.start_time);
	assert_true(process_info__start_time(info.start_ticks * tick_ns + tick_ns - 1) == info.start_time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_that_is_gone_has_its_record),
		cmocka_unit_test(the_record_names_an_image_that_runs),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(a_start_is_the_same_from_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
