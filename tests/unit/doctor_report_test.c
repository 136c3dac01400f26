/* SPDX-License-Identifier: GPL-2.0-only */
/* What leaktrace doctor prints: nothing that is unknown looks known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "report/doctor.h"

static struct doctor_feature features[] = {
	{.id = "btf", .name = "type information", .known = true, .there = true, .required = true},
	{.id = "session", .name = "sessions", .known = true, .there = true, .used = true},
	{.id = "multi", .name = "multi links", .known = true, .detail = "it came with Linux 6.6"},
	{.id = "jit", .name = "compiled", .detail = "cannot be read"},
};

static struct doctor_function functions[] = {
	{.function = "free",
	 .family = "libc",
	 .path = "/lib/libc.so.6",
	 .build_id = "abcd",
	 .offset = 9,
	 .instruction = "push %rbp",
	 .reason = "because",
	 .returns = "",
	 .emulated = true,
	 .cost_ns = 650,
	 .hits_per_s = 1000},
	{.function = "malloc",
	 .family = "libc",
	 .path = "/lib/libc.so.6",
	 .build_id = "abcd",
	 .instruction = "endbr64",
	 .reason = "the entry",
	 .returns = "by a return probe",
	 .cost_ns = -1,
	 .hits_per_s = -1},
};

static struct doctor_left_out left_out[] = {
	{.path = "/lib/libc.so.6", .function = "calloc", .reason = "it ends in a jump"},
	{.path = "/lib/other.so", .reason = "not libc's"},
};

static struct doctor_process process = {
	.pid = 42,
	.comm = "server",
	.functions = functions,
	.n_functions = 2,
	.left_out = left_out,
	.n_left_out = 2,
	.counted_s = 0.02,
	.counted = 500,
	.percent_of_one_cpu = 12.34,
};

static struct doctor_report report(void)
{
	return (struct doctor_report){
		.version = "1.2.3",
		.host = "host",
		.kernel = "6.18",
		.started = 1e9,
		.can_trace = true,
		.path = "session",
		.features = features,
		.n_features = 4,
		.cost = {650, 13000, -1, -1, "no child"},
		.processes = &process,
		.n_processes = 1,
	};
}

static char *text;

static const char *write_text(const struct doctor_report *r)
{
	size_t size;
	FILE *f;

	free(text);
	f = open_memstream(&text, &size);
	assert_non_null(f);
	assert_int_equal(doctor_text__write(f, r), 0);
	fclose(f);
	return text;
}

#define assert_says(s)	 assert_non_null(strstr(text, s))
#define assert_silent(s) assert_null(strstr(text, s))

static void for_people(void **state)
{
	struct doctor_report r = report();

	(void)state;
	write_text(&r);
	assert_says("host   Linux 6.18   leaktrace 1.2.3\nprocesses can be traced here, by session\n");
	assert_says("  yes  type information\n");
	assert_says("  yes  sessions, which is used\n");
	assert_says("  no   multi links\n       it came with Linux 6.6\n");
	assert_says("  ?    compiled\n       cannot be read\n");
	assert_says("650 ns at an emulated instruction, 13.0 us at a single-stepped one; its return unknown more\n");
	assert_says("an allocation and its release, traced: unknown (no child)\n");
	assert_says("\nserver (pid 42)   ?\n/lib/libc.so.6 (libc, build id abcd)\n");
	assert_says("free                   +0x9   push %rbp                650 ns           1000\n       because\n");
	assert_says("unknown             ?\n       the entry; returns seen by a return probe\n");
	assert_says("not hooked: /lib/libc.so.6: calloc: it ends in a jump\nnot hooked: /lib/other.so: not libc's\n");
	assert_says("counted 500 calls in 20 ms: tracing every block would take about 12.3 % of one CPU\n");
	assert_silent("next:");
}

static void what_is_not_known(void **state)
{
	struct doctor_report r = report();

	(void)state;
	process.at_least = true;
	assert_non_null(strstr(write_text(&r), "would take at least 12.3 %"));
	process.percent_of_one_cpu = -1;
	assert_non_null(strstr(write_text(&r), "what tracing would cost is unknown"));
	process.count_note = "too slow";
	assert_non_null(strstr(write_text(&r), "calls were not counted: too slow\n"));
	process.n_functions = 0;
	assert_non_null(strstr(write_text(&r), "nothing of it would be hooked"));
	r.can_trace = false;
	r.n_processes = 0;
	features[0].there = false;
	write_text(&r);
	assert_says("NOTHING CAN BE TRACED HERE");
	assert_says("  NO   type information\n");
	assert_silent("cost of a hit");
	r.can_trace = true;
	assert_non_null(strstr(write_text(&r), "next: leaktrace doctor -p PID"));
}

static void for_programs(void **state)
{
	struct doctor_report r = report();
	json_t *doc, *p, *f;
	size_t size;
	FILE *out;

	(void)state;
	free(text);
	out = open_memstream(&text, &size);
	assert_int_equal(doctor_json__write(out, &r), 0);
	fclose(out);
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	assert_string_equal(json_string_value(json_object_get(doc, "schema")), "leaktrace.doctor/1");
	assert_true(json_is_null(json_object_get(json_object_get(doc, "cost"), "return_ns")));
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(doc, "features"), 3), "there")));
	p = json_array_get(json_object_get(doc, "processes"), 0);
	assert_int_equal(json_array_size(json_object_get(p, "hooked")), 2);
	f = json_array_get(json_object_get(p, "hooked"), 1);
	assert_true(json_is_null(json_object_get(f, "cost_ns")) && json_is_null(json_object_get(f, "hits_per_s")));
	assert_true(json_is_false(json_object_get(f, "emulated")));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(p, "hooked"), 0), "offset")),
			 9);
	assert_true(json_is_null(json_object_get(p, "exe")));
	assert_true(json_is_null(json_object_get(json_array_get(json_object_get(p, "not_hooked"), 1), "function")));
	json_decref(doc);
}

static void full_disk(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct doctor_report r = report();

	(void)state;
	assert_non_null(full);
	assert_true(doctor_text__write(full, &r) < 0);
	assert_true(doctor_json__write(full, &r) < 0);
	fclose(full);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(for_people),
		cmocka_unit_test(for_programs),
		cmocka_unit_test(what_is_not_known),
		cmocka_unit_test(full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
