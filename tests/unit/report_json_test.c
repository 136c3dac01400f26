/* SPDX-License-Identifier: GPL-2.0-only */
#include "json_check.h"

#include <errno.h>

#include "account/losses.h"

static void test_top_level(void **state)
{
	struct fixture f;
	json_t *doc, *overhead;

	(void)state;
	fixture__init(&f);
	doc = report(&f);
	check_keys(doc,
		   "schema version host kernel started duration_s observed_s interval_s windows sample_bytes mode "
		   "final end_reason stacks attach_path min_age_s processes sites losses walk_ends overhead audit");
	check_string(doc, "schema", "leaktrace.report/1");
	check_string(doc, "version", "0.1");
	check_string(doc, "host", "web1");
	check_string(doc, "kernel", "6.1.0");
	check_string(doc, "started", "2023-11-14T22:13:20.500Z");
	check_real(doc, "duration_s", 60);
	check_real(doc, "observed_s", 60);
	check_real(doc, "interval_s", 5);
	check_integer(doc, "windows", 12);
	check_integer(doc, "sample_bytes", 0);
	check_string(doc, "mode", "exact");
	assert_true(json_is_false(json_object_get(doc, "final")));
	check_string(doc, "stacks", "frame pointers");
	check_string(doc, "attach_path", "session");
	check_nulls(doc, "end_reason min_age_s audit");
	check_empty_list(doc, "sites");
	overhead = json_object_get(doc, "overhead");
	check_keys(overhead, "probe_hits probe_cpu_s tool_cpu_s percent_of_one_cpu budget_percent acts");
	check_integer(overhead, "probe_hits", 1234567);
	check_real(overhead, "tool_cpu_s", 0.42);
	check_nulls(overhead, "probe_cpu_s percent_of_one_cpu budget_percent");
	check_empty_list(overhead, "acts");
	json_decref(doc);
}

static void test_end_and_audit(void **state)
{
	struct fixture f;
	json_t *doc;

	(void)state;
	fixture__init(&f);
	f.snap.final = true;
	f.snap.end_reason = "target ended";
	f.snap.audit_bytes = 0;
	f.snap.audit_blocks = 7;
	f.snap.started = NAN;
	doc = report(&f);
	assert_true(json_is_true(json_object_get(doc, "final")));
	check_string(doc, "end_reason", "target ended");
	check_nulls(doc, "started");
	check_keys(json_object_get(doc, "audit"), "bytes blocks");
	check_integer(json_object_get(doc, "audit"), "bytes", 0);
	check_integer(json_object_get(doc, "audit"), "blocks", 7);
	json_decref(doc);
}

static void test_process(void **state)
{
	struct fixture f;
	json_t *doc, *p, *hooked;

	(void)state;
	fixture__init(&f);
	doc = report(&f);
	p = at(doc, "processes", 0);
	check_keys(p, "pid start_time comm exe cgroup unit container ended end_s exit_status exit_signal verdict "
		      "confidence reasons wait_s detectable_bytes_per_s live_bytes live_blocks net_blocks "
		      "pre_attach_bytes rss_bytes memory growth_bytes_per_s growth_ci95 limit allocs frees "
		      "frees_untracked failed_allocs vm_children hooked not_hooked");
	check_integer(p, "pid", 4242);
	check_string(p, "start_time", "2023-11-14T22:13:20.250Z");
	check_string(p, "comm", "session-server");
	check_string(p, "exe", "/srv/server");
	check_string(p, "verdict", "unknown");
	check_empty_list(p, "reasons");
	check_integer(p, "live_bytes", 69310874);
	check_integer(p, "live_blocks", 541018);
	check_integer(p, "net_blocks", 541002);
	check_integer(p, "allocs", 600000);
	check_integer(p, "frees", 58998);
	check_integer(p, "frees_untracked", 0);
	check_integer(p, "failed_allocs", 0);
	check_integer(p, "vm_children", 0);
	check_integer(p, "rss_bytes", 412 << 20);
	check_real(p, "growth_bytes_per_s", 1153433.6);
	check_nulls(p, "cgroup unit container ended end_s exit_status exit_signal confidence wait_s "
		       "detectable_bytes_per_s pre_attach_bytes growth_ci95 limit");
	check_keys(json_object_get(p, "memory"), "heap mappings allocator_slack stacks files shared");
	check_nulls(json_object_get(p, "memory"), "heap mappings allocator_slack stacks files shared");
	check_empty_list(p, "not_hooked");
	hooked = at(p, "hooked", 0);
	check_keys(hooked, "path build_id family functions");
	check_string(hooked, "path", "/usr/lib/libc.so.6");
	check_string(hooked, "build_id", "abcd");
	check_string(hooked, "family", "libc");
	assert_string_equal(json_string_value(json_array_get(json_object_get(hooked, "functions"), 1)), "free");
	json_decref(doc);
}

static void test_process_ends(void **state)
{
	static const struct {
		enum process_end end;
		int status;
		const char *ended;
		int exit_status, exit_signal; /* -1: null */
	} cases[] = {
		{PROCESS_EXITED, 3 << 8, "exit", 3, -1}, {PROCESS_EXITED, 0, "exit", 0, -1},
		{PROCESS_EXITED, 9, "exit", -1, 9},	 {PROCESS_EXITED, -1, "exit", -1, -1},
		{PROCESS_EXECED, -1, "exec", -1, -1},
	};

	(void)state;
	for (unsigned int i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		json_t *doc, *p;

		fixture__init(&f);
		f.processes[0].end = cases[i].end;
		f.processes[0].exit_status = cases[i].status;
		f.processes[0].end_s = 12.5;
		f.processes[0].growth_bytes_per_s = NAN;
		f.processes[0].rss_bytes = -1;
		f.processes[0].frees = 600001;
		f.processes[0].not_hooked = &f.not_hooked;
		f.processes[0].n_not_hooked = 1;
		doc = report(&f);
		p = at(doc, "processes", 0);
		check_string(p, "ended", cases[i].ended);
		check_real(p, "end_s", 12.5);
		check_integer(p, "net_blocks", -1);
		check_nulls(p, "growth_bytes_per_s rss_bytes");
		if (cases[i].exit_status < 0)
			check_nulls(p, "exit_status");
		else
			check_integer(p, "exit_status", cases[i].exit_status);
		if (cases[i].exit_signal < 0)
			check_nulls(p, "exit_signal");
		else
			check_integer(p, "exit_signal", cases[i].exit_signal);
		check_keys(at(p, "not_hooked", 0), "path reason");
		check_string(at(p, "not_hooked", 0), "reason", "no symbol table");
		json_decref(doc);
	}
}

static void test_losses(void **state)
{
	struct fixture f;
	uint64_t *counters = (uint64_t *)&f.snap.losses;
	json_t *doc, *losses;

	(void)state;
	fixture__init(&f);
	for (unsigned int i = 0; i < sizeof(f.snap.losses) / sizeof(uint64_t); i++)
		counters[i] = i + 1;
	doc = report(&f);
	losses = json_object_get(doc, "losses");
	check_keys(
		losses,
		"blocks_not_tracked bytes_not_tracked sites_merged records_dropped stacks_truncated "
		"stacks_lost probe_misses returns_unmatched returns_unsafe returns_omitted frees_missed floors_missed "
		"reads_failed leaders_gone tasks_untracked processes_untracked events_dropped");
	for (unsigned int i = 0; i < n_loss_kinds; i++)
		check_integer(losses, loss_kinds[i].name, (json_int_t)loss_kind__count(&loss_kinds[i], &f.snap.losses));
	check_integer(losses, "blocks_not_tracked", 1);
	check_integer(losses, "processes_untracked", 16);
	json_decref(doc);
}

static void test_hostile_strings(void **state)
{
	const struct frame frame = {.pc = 1, .module = &fixture_server, .offset = 0x66};
	struct fixture f;
	json_t *doc, *line;
	struct site *s;

	(void)state;
	fixture__init(&f);
	f.processes[0].comm = "\x1b]0;x\x07\"\\";
	f.processes[0].exe = "/tmp/\xff\n";
	f.processes[0].cgroup = "/a\xed\xa0\x80";
	f.not_hooked = (struct not_hooked){"\xc0", "bad\xf8"};
	f.processes[0].not_hooked = &f.not_hooked;
	f.processes[0].n_not_hooked = 1;
	s = fixture__add_site(&f, 1);
	s->frames = &frame;
	s->n_frames = 1;
	doc = report(&f);
	check_string(at(doc, "processes", 0), "comm", "\\x1b]0;x\\x07\"\\");
	check_string(at(doc, "processes", 0), "exe", "/tmp/\\xff\\x0a");
	check_string(at(doc, "processes", 0), "cgroup", "/a\\xed\\xa0\\x80");
	check_string(at(at(doc, "processes", 0), "not_hooked", 0), "path", "\\xc0");
	line = at(at(doc, "sites", 0), "frames", 0);
	check_string(line, "symbol", "f\\x1b[2J\\xff");
	check_string(line, "file", "a/\\x0a.c");
	json_decref(doc);
}

static void test_compact(void **state)
{
	struct fixture f;
	char *line, *pretty;
	json_t *a, *b;

	(void)state;
	fixture__init(&f);
	fixture__add_site(&f, 1);
	line = fixture__render(&f, JSON_LINES);
	pretty = fixture__render(&f, JSON_PRETTY);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_true(strchr(pretty, '\n') < pretty + strlen(pretty) - 1);
	assert_memory_equal(line, "{\"schema\":\"leaktrace.report/1\"", 30);
	free(line);
	free(pretty);
	a = report_as(&f, JSON_LINES);
	b = report_as(&f, JSON_PRETTY);
	assert_true(json_equal(a, b));
	json_decref(a);
	json_decref(b);
}

static void test_full_device(void **state)
{
	struct fixture f;
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(out);
	fixture__init(&f);
	fixture__add_site(&f, 1);
	assert_int_equal(judge__snapshot(&f.snap, &f.judgement), 0);
	assert_int_equal(report_json__write(out, &f.report, &f.options, true), -ENOSPC);
	assert_int_equal(report_text__write(out, &f.report, &f.options), -ENOSPC);
	judgement__free(&f.judgement);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_top_level), cmocka_unit_test(test_end_and_audit),
		cmocka_unit_test(test_process),	  cmocka_unit_test(test_process_ends),
		cmocka_unit_test(test_losses),	  cmocka_unit_test(test_hostile_strings),
		cmocka_unit_test(test_compact),	  cmocka_unit_test(test_full_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
