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

static struct mapping *mapping_of(struct mappings *m, const void *code)
{
	return (struct mapping *)mappings__find(m, (uintptr_t)code);
}

static void set_since(struct image *img, uint32_t since, uint32_t epoch)
{
	struct mapping *at;

	vec__each (&img->mappings.list, at)
		at->since = since;
	img->epoch = epoch;
}

/* Without spaces nothing is ever unloaded: each reading is of epoch 0. */
static void since_when_a_mapping_is_there(void **state)
{
	struct images all = {.modules = module_table__new()};
	struct image *img = images__add(&all, getpid());
	struct mapping *libc;

	(void)state;
	assert_int_equal(image__read_mappings(img, &all), 0);
	assert_int_equal(img->epoch, 0);
	assert_int_equal(img->first_epoch, 0);
	assert_int_equal(img->earlier.list.n, 0);
	/* Nothing was unloaded since the last reading. */
	img->first_epoch = 55;
	set_since(img, 33, 0);
	assert_int_equal(image__read_mappings(img, &all), 0);
	assert_int_equal(mapping_of(&img->mappings, strtol)->since, 33);
	assert_int_equal(img->earlier_epoch, 0);
	assert_int_equal(mapping_of(&img->earlier, strtol)->since, 33);
	/* Something was, or might have been: it may have been this. */
	set_since(img, 33, LT_NO_EPOCH);
	assert_int_equal(image__read_mappings(img, &all), 0);
	assert_int_equal(mapping_of(&img->mappings, strtol)->since, 0);
	assert_int_equal(img->earlier_epoch, LT_NO_EPOCH);
	assert_int_equal(img->epoch, 0);
	/* But not what was there at first. */
	set_since(img, 55, LT_NO_EPOCH);
	assert_int_equal(image__read_mappings(img, &all), 0);
	assert_int_equal(mapping_of(&img->mappings, strtol)->since, 55);
	/* Another file, or another part of it, at the same address is another mapping. */
	set_since(img, 55, 0);
	libc = mapping_of(&img->mappings, strtol);
	libc->offset += 4096;
	mapping_of(&img->mappings, images__add)->module = libc->module;
	assert_int_equal(image__read_mappings(img, &all), 0);
	assert_int_equal(mapping_of(&img->mappings, strtol)->since, 0);
	assert_int_equal(mapping_of(&img->mappings, images__add)->since, 0);
	images__free(&all);
	module_table__free(all.modules);
}

/* Of a process that is gone, what was read last stays. */
static void mappings_that_cannot_be_read(void **state)
{
	struct images all = {.modules = module_table__new()};
	struct image *img = images__add(&all, getpid());

	(void)state;
	assert_int_equal(image__read_mappings(img, &all), 0);
	set_since(img, 33, 44);
	img->pid = dead_pid();
	assert_true(image__read_mappings(img, &all) < 0);
	assert_int_equal(img->epoch, 44);
	assert_int_equal(mapping_of(&img->mappings, images__add)->since, 33);
	assert_int_equal(img->earlier.list.n, 0);
	images__free(&all);
	module_table__free(all.modules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_that_is_gone_has_its_record),
		cmocka_unit_test(the_record_names_an_image_that_runs),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(a_start_is_the_same_from_both_sides),
		cmocka_unit_test(since_when_a_mapping_is_there),
		cmocka_unit_test(mappings_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
