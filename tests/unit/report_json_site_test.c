/* SPDX-License-Identifier: GPL-2.0-only */
#include "json_check.h"

static void test_site(void **state)
{
	struct fixture f;
	json_t *doc, *s, *age;

	(void)state;
	fixture__init(&f);
	fixture__add_site(&f, 0x2a);
	doc = report(&f);
	s = at(doc, "sites", 0);
	check_keys(s, "id rank pid kind function overflow class growing confidence reasons rising live_bytes "
		      "live_bytes_se live_blocks growth_bytes_per_s growth_ci95 total_alloc_bytes total_allocs "
		      "total_frees failed_allocs failed_last_size oldest_age_s windows rises falls floors ages "
		      "reachable holders truncated guessed finished frames_lost frames blocks");
	check_string(s, "id", "000000000000002a");
	check_integer(s, "rank", 1);
	check_integer(s, "pid", 4242);
	check_string(s, "kind", "heap");
	check_string(s, "function", "malloc");
	check_string(s, "class", "unknown");
	assert_true(json_is_true(json_object_get(s, "rising")));
	assert_true(json_is_false(json_object_get(s, "overflow")));
	assert_true(json_is_false(json_object_get(s, "frames_lost")));
	assert_string_equal(json_string_value(at(s, "reasons", 0)), "floor rose 11 of 11 windows, never fell");
	check_integer(s, "live_bytes", 66 << 20);
	check_integer(s, "live_bytes_se", 0);
	check_integer(s, "live_blocks", 541002);
	check_integer(s, "total_alloc_bytes", 80 << 20);
	check_integer(s, "total_allocs", 600000);
	check_integer(s, "total_frees", 58998);
	check_integer(s, "failed_allocs", 0);
	check_real(s, "oldest_age_s", 58);
	check_integer(s, "windows", 12);
	check_integer(s, "rises", 11);
	check_integer(s, "falls", 0);
	check_nulls(s, "growing confidence growth_ci95 failed_last_size truncated blocks");
	check_string(s, "reachable", "unknown");
	check_empty_list(s, "holders");
	assert_int_equal(json_array_size(json_object_get(s, "floors")), 12);
	assert_int_equal(json_integer_value(at(s, "floors", 11)), 60 << 20);
	assert_int_equal(json_array_size(json_object_get(s, "ages")), 3);
	age = at(s, "ages", 1);
	check_keys(age, "min_s max_s bytes blocks");
	check_real(age, "min_s", 5);
	check_real(age, "max_s", 30);
	check_integer(age, "bytes", 20 << 20);
	check_integer(age, "blocks", 200000);
	json_decref(doc);
}

#define FRAME_KEYS "pc symbol offset module module_offset build_id file line inlined"

static void test_frames(void **state)
{
	struct fixture f;
	json_t *doc, *s, *frame;

	(void)state;
	fixture__init(&f);
	fixture__add_site(&f, 1);
	doc = report(&f);
	s = at(doc, "sites", 0);
	assert_int_equal(json_array_size(json_object_get(s, "frames")), 6);
	for (unsigned int i = 0; i < 6; i++)
		check_keys(at(s, "frames", i), FRAME_KEYS);

	frame = at(s, "frames", 0);
	check_string(frame, "pc", "0x7f0000001000");
	check_string(frame, "symbol", "malloc");
	check_integer(frame, "offset", 0);
	check_string(frame, "module", "/usr/lib/libc.so.6");
	check_string(frame, "build_id", "abcd");
	check_nulls(frame, "file line");

	frame = at(s, "frames", 1);
	check_string(frame, "symbol", "list_add");
	assert_true(json_is_true(json_object_get(frame, "inlined")));
	check_integer(frame, "offset", 0);

	/* The call is looked up, but what is shown is the address as found. */
	frame = at(s, "frames", 2);
	check_string(frame, "pc", "0x555500001100");
	check_string(frame, "symbol", "session_create");
	check_integer(frame, "offset", 0x20);
	check_integer(frame, "module_offset", 0x1100);
	check_string(frame, "file", "/src/session.c");
	check_integer(frame, "line", 412);
	check_nulls(frame, "build_id");
	assert_true(json_is_false(json_object_get(frame, "inlined")));

	frame = at(s, "frames", 4);
	check_nulls(frame, "symbol offset file line");
	check_string(frame, "module", "/srv/server");
	check_integer(frame, "module_offset", 0x3100);

	frame = at(s, "frames", 5);
	check_string(frame, "pc", "0x7fffdeadbeef");
	check_nulls(frame, "symbol offset module module_offset build_id file line");
	json_decref(doc);
}

static void test_return_address_at_zero(void **state)
{
	const struct frame zero = {.pc = 1, .module = &fixture_libc, .offset = 0, .is_return_address = true};
	struct fixture f;
	struct site *s;
	json_t *doc;

	(void)state;
	fixture__init(&f);
	s = fixture__add_site(&f, 1);
	s->frames = &zero;
	s->n_frames = 1;
	doc = report(&f);
	assert_int_equal(fixture_last_offset, 0);
	check_integer(at(at(doc, "sites", 0), "frames", 0), "offset", 0);
	json_decref(doc);
}

static void test_code_made_at_run_time(void **state)
{
	const struct frame jit = {.pc = 0x7fff1010, .is_return_address = true, .jit_name = "py::f", .jit_offset = 16};
	struct fixture f;
	struct site *s;
	json_t *doc, *frame;

	(void)state;
	fixture__init(&f);
	s = fixture__add_site(&f, 1);
	s->frames = &jit;
	s->n_frames = 1;
	doc = report(&f);
	frame = at(at(doc, "sites", 0), "frames", 0);
	check_string(frame, "pc", "0x7fff1010");
	check_string(frame, "symbol", "py::f");
	check_integer(frame, "offset", 16);
	check_nulls(frame, "module module_offset build_id file line");
	json_decref(doc);
}

static void test_without_symbolizer(void **state)
{
	struct fixture f;
	json_t *doc;

	(void)state;
	fixture__init(&f);
	fixture__add_site(&f, 1);
	f.report.symbolizer = NULL;
	doc = report(&f);
	assert_int_equal(json_array_size(json_object_get(at(doc, "sites", 0), "frames")), 5);
	check_nulls(at(at(doc, "sites", 0), "frames", 0), "symbol offset");
	json_decref(doc);
}

static void test_unknown_and_huge(void **state)
{
	static const uint64_t floors[] = {0, INT64_MAX, UINT64_MAX};
	static const struct age_bin ages[] = {{60, INFINITY, 1, 1}};
	struct fixture f;
	struct site *s;
	json_t *doc, *o;

	(void)state;
	fixture__init(&f);
	s = fixture__add_site(&f, UINT64_MAX);
	*s = (struct site){.id = UINT64_MAX,
			   .kind = SITE_MANAGED,
			   .overflow = true,
			   .frames_lost = true,
			   .truncated = "no frame pointer",
			   .live_bytes = -5,
			   .total_alloc_bytes = UINT64_MAX,
			   .failed_allocs = 1,
			   .failed_last_size = UINT64_MAX,
			   .oldest_age_s = NAN,
			   .growth_bytes_per_s = -INFINITY,
			   .floors = floors,
			   .n_floors = 3,
			   .ages = ages,
			   .n_ages = 1};
	f.snap.overhead.tool_cpu_s = 0.1;
	f.snap.overhead.percent_of_one_cpu = 1.0 / 3;
	f.snap.overhead.probe_cpu_s = -1e-9;
	f.snap.observed_s = 1e300;
	doc = report(&f);
	o = at(doc, "sites", 0);
	check_string(o, "id", "ffffffffffffffff");
	check_string(o, "kind", "managed");
	assert_true(json_is_true(json_object_get(o, "overflow")));
	assert_true(json_is_true(json_object_get(o, "frames_lost")));
	check_string(o, "truncated", "no frame pointer");
	check_integer(o, "live_bytes", -5);
	check_integer(o, "total_alloc_bytes", INT64_MAX);
	check_integer(o, "failed_last_size", INT64_MAX);
	check_nulls(o, "function oldest_age_s growth_bytes_per_s");
	assert_true(json_integer_value(at(o, "floors", 1)) == INT64_MAX);
	assert_true(json_integer_value(at(o, "floors", 2)) == INT64_MAX);
	check_nulls(at(o, "ages", 0), "max_s");
	check_empty_list(o, "frames");
	o = json_object_get(doc, "overhead");
	check_real(o, "percent_of_one_cpu", 0.333333);
	check_real(o, "probe_cpu_s", 0);
	assert_false(signbit(json_real_value(json_object_get(o, "probe_cpu_s"))));
	check_real(doc, "observed_s", 1e300);
	json_decref(doc);
}

static void test_top_and_order(void **state)
{
	struct fixture f;
	json_t *doc;

	(void)state;
	fixture__init(&f);
	fixture__add_flat_site(&f, 7);
	fixture__add_site(&f, 8);
	fixture__add_flat_site(&f, 6);
	f.options.top = 0;
	doc = report(&f);
	assert_int_equal(json_array_size(json_object_get(doc, "sites")), 3);
	for (unsigned int i = 0; i < 3; i++)
		check_integer(at(doc, "sites", i), "rank", i + 1);
	check_string(at(doc, "sites", 0), "id", "0000000000000008");
	check_string(at(doc, "sites", 1), "id", "0000000000000006");
	json_decref(doc);

	f.options.top = 2;
	doc = report(&f);
	assert_int_equal(json_array_size(json_object_get(doc, "sites")), 2);
	json_decref(doc);

	/* Only the first has blocks of a known age, so the limit is not used up by the others. */
	f.options.top = 0;
	f.options.min_age_s = 30;
	doc = report(&f);
	check_real(doc, "min_age_s", 30);
	assert_int_equal(json_array_size(json_object_get(doc, "sites")), 1);
	json_decref(doc);
}

static void test_blocks(void **state)
{
	const struct block blocks[] = {
		{.site_id = 2, .address = 0x10, .size = 1, .age_s = 5},
		{.site_id = 1, .address = 0x7f0000000010, .size = 64, .age_s = 60},
		{.site_id = 1, .address = 0x30, .size = UINT64_MAX, .age_s = 30},
		{.site_id = UINT64_MAX, .address = 0x40, .size = 2, .age_s = NAN},
	};
	struct fixture f;
	json_t *doc, *list;

	(void)state;
	fixture__init(&f);
	fixture__add_site(&f, 1);
	fixture__add_site(&f, UINT64_MAX);
	fixture__add_flat_site(&f, 3);
	f.report.blocks = blocks;
	f.report.n_blocks = COUNT(blocks);
	f.options.show_addresses = true;
	doc = report(&f);
	list = json_object_get(at(doc, "sites", 0), "blocks");
	assert_int_equal(json_array_size(list), 2);
	check_keys(json_array_get(list, 0), "address size age_s");
	check_string(json_array_get(list, 0), "address", "0x30");
	check_integer(json_array_get(list, 0), "size", INT64_MAX);
	check_string(json_array_get(list, 1), "address", "0x7f0000000010");
	check_real(json_array_get(list, 1), "age_s", 60);
	check_nulls(at(at(doc, "sites", 1), "blocks", 0), "age_s");
	check_empty_list(at(doc, "sites", 2), "blocks");
	json_decref(doc);

	f.options.min_age_s = 30;
	doc = report(&f);
	list = json_object_get(at(doc, "sites", 0), "blocks");
	assert_int_equal(json_array_size(list), 1);
	check_integer(json_array_get(list, 0), "size", 64);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_site),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_code_made_at_run_time),
		cmocka_unit_test(test_return_address_at_zero),
		cmocka_unit_test(test_without_symbolizer),
		cmocka_unit_test(test_unknown_and_huge),
		cmocka_unit_test(test_top_and_order),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
