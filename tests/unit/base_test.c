/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/text.h"
#include "base/units.h"

struct number_case {
	const char *text;
	int err;
	uint64_t value;
};

static void check_numbers(int (*parse)(const char *, uint64_t *), const struct number_case *c, unsigned int n)
{
	for (; n; n--, c++) {
		uint64_t value = 4711;
		int err = parse(c->text, &value);

		if (err != c->err || (!err && value != c->value))
			fail_msg("\"%s\": got %d, %llu", c->text, err, (unsigned long long)value);
		if (err)
			assert_int_equal(value, 4711);
	}
}

#define CHECK_NUMBERS(parse, cases) check_numbers(parse, cases, sizeof(cases) / sizeof((cases)[0]))

/* Neither a number nor a duration nor a size, whatever the unit. */
static const struct number_case nonsense[] = {
	{"", -EINVAL, 0},    {" ", -EINVAL, 0},	    {"x", -EINVAL, 0},		{"5x", -EINVAL, 0},
	{"-", -EINVAL, 0},   {"-x", -EINVAL, 0},    {"+5", -EINVAL, 0},		{" 5", -EINVAL, 0},
	{"5 ", -EINVAL, 0},  {".5", -EINVAL, 0},    {".", -EINVAL, 0},		{"nan", -EINVAL, 0},
	{"inf", -EINVAL, 0}, {"-inf", -EINVAL, 0},  {"infinity", -EINVAL, 0},	{"0x10", -EINVAL, 0},
	{"1e3", -EINVAL, 0}, {"1.5.2", -EINVAL, 0}, {"5,5", -EINVAL, 0},	{"1e", -EINVAL, 0},
	{"-5", -ERANGE, 0},  {"-0.5", -ERANGE, 0},  {"5\xc2\xb5s", -EINVAL, 0},
};

static void test_durations(void **state)
{
	static const struct number_case cases[] = {
		{"5", 0, 5000000000},
		{"0", 0, 0},
		{"0s", 0, 0},
		{"5s", 0, 5000000000},
		{"500ms", 0, 500000000},
		{"250us", 0, 250000},
		{"7ns", 0, 7},
		{"2m", 0, 120000000000},
		{"2min", 0, 120000000000},
		{"1h", 0, 3600000000000},
		{"1d", 0, 86400000000000},
		{"1.5s", 0, 1500000000},
		{"5.", 0, 5000000000},
		{"0.0000000001s", 0, 0},
		{"2M", 0, 120000000000},
		{"3650d", 0, 315360000000000000},
		{"3651d", -ERANGE, 0},
		{"999999999999999999999", -ERANGE, 0},
		{"-5s", -ERANGE, 0},
		{"5K", -EINVAL, 0},
		{"5ss", -EINVAL, 0},
		{"5 s", -EINVAL, 0},
	};

	(void)state;
	CHECK_NUMBERS(units__parse_duration, cases);
	CHECK_NUMBERS(units__parse_duration, nonsense);
	CHECK_NUMBERS(units__parse_duration_with_unit, nonsense);
}

static void test_durations_with_unit(void **state)
{
	static const struct number_case cases[] = {
		{"5", -EDOM, 0}, {"0", -EDOM, 0}, {"1.5", -EDOM, 0}, {"5s", 0, 5000000000}, {"30ms", 0, 30000000},
	};

	(void)state;
	CHECK_NUMBERS(units__parse_duration_with_unit, cases);
}

static void test_sizes(void **state)
{
	static const struct number_case cases[] = {
		{"4096", 0, 4096},
		{"0", 0, 0},
		{"0K", 0, 0},
		{"64K", 0, 65536},
		{"64k", 0, 65536},
		{"64KB", 0, 65536},
		{"64KiB", 0, 65536},
		{"1.5M", 0, 1572864},
		{"2G", 0, 2147483648},
		{"1T", 0, 1099511627776},
		{"12B", 0, 12},
		{"8000000T", 0, 8000000ull << 40},
		{"9000000T", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"-4K", -ERANGE, 0},
		{"4KK", -EINVAL, 0},
		{"4s", -EINVAL, 0},
		{"4iB", -EINVAL, 0},
	};

	(void)state;
	CHECK_NUMBERS(units__parse_size, cases);
	CHECK_NUMBERS(units__parse_size, nonsense);
}

static int parse_uint_1_10(const char *text, uint64_t *out)
{
	return units__parse_uint(text, 1, 10, out);
}

static int parse_uint_any(const char *text, uint64_t *out)
{
	return units__parse_uint(text, 0, UINT64_MAX, out);
}

static void test_uints(void **state)
{
	static const struct number_case narrow[] = {
		{"1", 0, 1}, {"10", 0, 10}, {"007", 0, 7}, {"0", -ERANGE, 0}, {"11", -ERANGE, 0}, {"-1", -ERANGE, 0},
	};
	static const struct number_case wide[] = {
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"1.5", -EINVAL, 0},
		{"5s", -EINVAL, 0},
		{"-0", -ERANGE, 0},
	};

	(void)state;
	CHECK_NUMBERS(parse_uint_1_10, narrow);
	CHECK_NUMBERS(parse_uint_any, wide);
	CHECK_NUMBERS(parse_uint_any, nonsense);
}

static void check_format(char *(*format)(char *, size_t, double), double value, const char *want)
{
	char buf[64];

	assert_ptr_equal(format(buf, sizeof(buf), value), buf);
	assert_string_equal(buf, want);
}

static void test_format_bytes(void **state)
{
	char tiny[4];

	(void)state;
	check_format(units__format_bytes, 0, "0 B");
	check_format(units__format_bytes, 512, "512 B");
	check_format(units__format_bytes, 1023, "1023 B");
	check_format(units__format_bytes, 1023.6, "1.0 KiB");
	check_format(units__format_bytes, 1024, "1.0 KiB");
	check_format(units__format_bytes, 1048524, "1023.9 KiB");
	check_format(units__format_bytes, 1048575, "1.0 MiB");
	check_format(units__format_bytes, 69310874, "66.1 MiB");
	check_format(units__format_bytes, -69310874, "-66.1 MiB");
	check_format(units__format_bytes, -1, "-1 B");
	check_format(units__format_bytes, 1099511627776.0, "1.0 TiB");
	check_format(units__format_bytes, 18446744073709551615.0, "16384.0 PiB");
	assert_string_equal(units__format_bytes(tiny, sizeof(tiny), 69310874), "66.");
}

static void test_format_duration(void **state)
{
	(void)state;
	check_format(units__format_duration, 0, "0 ms");
	check_format(units__format_duration, 0.25, "250 ms");
	check_format(units__format_duration, 0.9994, "999 ms");
	check_format(units__format_duration, 0.9996, "1.0 s");
	check_format(units__format_duration, 9.94, "9.9 s");
	check_format(units__format_duration, 9.96, "10 s");
	check_format(units__format_duration, 58, "58 s");
	check_format(units__format_duration, 59.6, "1 min");
	check_format(units__format_duration, 85, "1 min 25 s");
	check_format(units__format_duration, 3599.7, "1 h");
	check_format(units__format_duration, 11040, "3 h 4 min");
	check_format(units__format_duration, 90000, "1 d 1 h");
	check_format(units__format_duration, 172800, "2 d");
}

static void check_safe(const char *src, const char *want)
{
	char buf[256], *dup = text__safe_dup(src);

	assert_ptr_equal(text__safe(buf, sizeof(buf), src), buf);
	assert_string_equal(buf, want);
	assert_non_null(dup);
	assert_string_equal(dup, want);
	free(dup);
}

static void test_safe(void **state)
{
	(void)state;
	check_safe("", "");
	check_safe("plain ~", "plain ~");
	check_safe("tab\tnl\ncr\r", "tab\\x09nl\\x0acr\\x0d");
	check_safe("\x1b[2J\x7f\x01", "\\x1b[2J\\x7f\\x01");
	check_safe("café 中 😀", "café 中 😀");
	check_safe("\xff\xfe", "\\xff\\xfe");
	check_safe("\x80", "\\x80");
	check_safe("a\xc3", "a\\xc3"); /* cut in a character */
	check_safe("\xe4\xb8z", "\\xe4\\xb8z");
	check_safe("\xc0\xaf", "\\xc0\\xaf"); /* overlong */
	check_safe("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	check_safe("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
	check_safe("\xed\xa0\x80", "\\xed\\xa0\\x80");		/* surrogate */
	check_safe("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond Unicode */
	check_safe("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
	check_safe("\xc2\x9b", "\\xc2\\x9b");	       /* CSI as one C1 control */
	check_safe("\xe2\x80\xae", "\\xe2\\x80\\xae"); /* right-to-left override */
	check_safe("\xe2\x80\xa8", "\\xe2\\x80\\xa8"); /* line separator */
	check_safe("\xef\xbb\xbf", "\\xef\\xbb\\xbf"); /* byte order mark */
}

static void test_safe_cuts(void **state)
{
	char buf[8];

	(void)state;
	assert_string_equal(text__safe(buf, 4, "abcdef"), "abc");
	assert_string_equal(text__safe(buf, 4, "ab中"), "ab");
	assert_string_equal(text__safe(buf, 6, "ab中"), "ab中");
	assert_string_equal(text__safe(buf, 4, "\x1b"), "");
	assert_string_equal(text__safe(buf, 5, "\x1b"), "\\x1b");
	assert_string_equal(text__safe(buf, 1, "a"), "");
	buf[0] = 'k';
	text__safe(buf, 0, "a");
	assert_int_equal(buf[0], 'k');
}

static void test_err(void **state)
{
	struct err e;
	char longer[2000];

	(void)state;
	assert_int_equal(err__set(&e, -ENOENT, "no %s; try %d", "a\x1b", 7), -ENOENT);
	assert_string_equal(e.text, "no a\\x1b; try 7");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(err__set(&e, -EIO, "%s", longer), -EIO);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),    cmocka_unit_test(test_durations_with_unit),
		cmocka_unit_test(test_sizes),	     cmocka_unit_test(test_uints),
		cmocka_unit_test(test_format_bytes), cmocka_unit_test(test_format_duration),
		cmocka_unit_test(test_safe),	     cmocka_unit_test(test_safe_cuts),
		cmocka_unit_test(test_err),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
