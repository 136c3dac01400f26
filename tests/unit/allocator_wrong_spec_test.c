/* SPDX-License-Identifier: GPL-2.0-only */
/* Mistakes in the description of an allocator: each is found, and told where it is. */
#include "spec_words.h"

static void expect_all_refused(const struct wrong *w, size_t n)
{
	for (; n; n--, w++)
		expect_refused(w->text, w->sentence);
}

#define EXPECT_ALL_REFUSED(cases) expect_all_refused(cases, sizeof(cases) / sizeof((cases)[0]))

static void wrong_names_of_functions(void **state)
{
	static const struct wrong wrong[] = {
		{"x: free=f alloc=*", "'*' at character 17 could be any function"},
		{"x: free=f alloc=**?[a-z][!x]*", "'**?[a-z][!x]*' at character 17 could be any function"},
		{"x: free=f alloc=a[bc", "'[' at character 18 is not closed by ']'"},
		{"x: free=f alloc=a[", "'[' at character 18 is not closed"},
		{"x: free=f alloc=a[]", "'[' at character 18 is not closed"},
		{"x: free=f alloc=a[!]", "'[' at character 18 is not closed"},
		{"x: free=f alloc=a[!", "'[' at character 18 is not closed"},
		{"x: free=f alloc=a[b[c]", "'[' at character 18 is not closed"},
		{"x: free=f alloc=a]", "']' at character 18 cannot be in a function's name"},
		{"x: free=f alloc=a-b", "'-' at character 18 cannot be in a function's name; letters"},
		{"x: free=f alloc=a,b", "',' at character 18 cannot"},
		{"x: free=f alloc=a=b", "'=' at character 18 cannot"},
		{"x: free=f alloc=a#b", "'#' at character 18 cannot"},
		{"x: free=f alloc=\xc3\xa4\x1b[2Jb*", "'\\x1b' at character 18 cannot"},
		{"x: free=f alloc=1", "'1' at character 17 begins with a digit"},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

static void wrong_places_in_files(void **state)
{
	static const struct wrong wrong[] = {
		{"x: free=f alloc=+0x10", "'+0x10' at character 17 has no file before its '+'"},
		{"x: free=f alloc=lib+", "'+' at character 20: behind '+' an offset"},
		{"x: free=f alloc=lib+0x", "'0x' at character 21: behind '+' an offset"},
		{"x: free=f alloc=lib+10", "'10' at character 21: behind '+' an offset"},
		{"x: free=f alloc=lib+0X10", "'0X10' at character 21: behind '+' an offset"},
		{"x: free=f alloc=lib+0x10g", "'0x10g' at character 21: behind '+' an offset"},
		{"x: free=f alloc=lib+0x10+", "'+' at character 25: behind '+' an offset"},
		{"x: free=f alloc=lib+0x0", "'0x0' at character 21 is no address of code"},
		{"x: free=f alloc=lib+0x12345678123456789", "at character 21 is no address of code"},
		{"x: free=f alloc=/usr/lib/l.so+0x10", "'/usr/lib/l.so' at character 17 has a folder"},
		{"x: free=f alloc=lib*+0x10", "'*' at character 20 cannot be in a file's name"},
		{"x: free=f alloc=l\x01+0x10", "'\\x01' at character 18 cannot be in a file's name"},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

static void wrong_words(void **state)
{
	static const struct wrong wrong[] = {
		{"", "--allocator: a spec is empty"},
		{"  \n", "a spec is empty"},
		{"(", "'(' at character 1: a spec begins with a name"},
		{"  : alloc=a", "':' at character 3: a spec begins with a name"},
		{"x", "'x' at character 1 is not followed by a colon"},
		{"my pool: alloc=a free=f", "'my' at character 1 is not followed by a colon"},
		{"alloc=a free=f", "'alloc' at character 1 is not followed by a colon"},
		{"a23456789012345678901234567890123: alloc=a", "a name has at most 32 characters"},
		{"pool: allok=a free=f",
		 "--allocator: 'allok' at character 7 is not known; alloc, calloc, realloc, alloc_at, free, reset"},
		{"x: Alloc=a free=f", "'Alloc' at character 4 is not known"},
		{"x: a", "'a' at character 4 is not known"},
		{"x: =a", "'=' at character 4 is not known"},
		{"x: )", "')' at character 4 is not known"},
		{"x: alloc=a free=f nothrow=1", "'nothrow' at character 19 is not known"},
		{"x: alloc=a free=f y: alloc=b", "'y:' at character 19 is not known"},
		{"x: alloc", "'alloc' at character 4 is not followed by '='"},
		{"x: alloc a", "'alloc' at character 4 is not followed by '='"},
		{"x: alloc(size=1)", "'alloc' at character 4 is not followed by '='"},
		{"x: alloc=", "'alloc=' at character 4 is not followed by a function"},
		{"x: alloc= a", "'alloc=' at character 4 is not followed by a function"},
		{"x: alloc=(size=1)", "'alloc=' at character 4 is not followed by a function"},
		{"x: alloc=a alloc=b free=a", "'a' at character 25 is there twice, first at character 10"},
		{"x: alloc=a[b] free=f realloc=a[b]", "'a[b]' at character 30 is there twice"},
		{"\xc3\xa4: alloc=a", "'\xc3\xa4' at character 1: a spec begins with a name"},
		{"x: \xc3\xa4\xc3\xa4=a b", "'\xc3\xa4\xc3\xa4' at character 4 is not known"},
		{"x: alloc=\xc3\xa4 b", "'b' at character 12 is not known"},
		{"x: a234567890123456789012345678901234567890b",
		 "'a234567890123456789012345678901234567890...' at character 4 is not known"},
		/* It is not cut within a character. */
		{"x: a2345678901234567890123456789012345678\xe2\x82\xac",
		 "'a2345678901234567890123456789012345678...' at character 4"},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

static void wrong_numbers(void **state)
{
	static const struct wrong wrong[] = {
		{"x: free=f(ptr=0)", "'0' at character 15: arguments are counted from 1"},
		{"x: free=f(ptr=00)", "'00' at character 15: arguments are counted from 1"},
		{"x: free=f(ptr=7)", "'7' at character 15: only arguments 1 to 6"},
		{"x: free=f(ptr=18446744073709551617)", "at character 15: only arguments 1 to 6"},
		{"x: free=f(ptr=-1)", "'-1' at character 15 is no number; give that of an argument, from 1 to 6"},
		{"x: free=f(ptr=1x)", "'1x' at character 15 is no number"},
		{"x: free=f(ptr=ptr)", "'ptr' at character 15 is no number"},
		{"x: free=f(ptr=)", "'=' at character 14 is not followed by a number"},
		{"x: free=f(ptr= 1)", "'=' at character 14 is not followed by a number"},
		{"x: free=f(ptr=", "'=' at character 14 is not followed by a number"},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

static void wrong_keys(void **state)
{
	static const struct wrong wrong[] = {
		{"x: free=f(ptr)", "'ptr' at character 11 is not followed by '='; give an argument, as in ptr=1"},
		{"x: free=f(ptr =1)", "'ptr' at character 11 is not followed by '='"},
		{"x: free=f(1)", "'1' at character 11 is nothing that free has; it takes ptr= and nothrow"},
		{"x: free=f(size=1)", "'size' at character 11 is nothing that free has; it takes ptr= and nothrow"},
		{"x: free=f(pool=1)", "'pool' at character 11 is nothing that free has"},
		{"x: alloc=f(ptr=1)", "'ptr' at character 12 is nothing that alloc has; it takes size=, count=,"},
		{"x: alloc=f(result=1)", "'result' at character 12 is nothing that alloc has"},
		{"x: calloc=f(ptr=1)", "'ptr' at character 13 is nothing that calloc has; it takes count=, size=,"},
		{"x: realloc=f(result=1)", "'result' at character 14 is nothing that realloc has; it takes ptr=,"},
		{"x: alloc_at=f(ptr=1)", "'ptr' at character 15 is nothing that alloc_at has; it takes result=,"},
		{"x: reset=f(ptr=1)", "'ptr' at character 12 is nothing that reset has; it takes pool= and nothrow"},
		{"x: reset=f(size=1)", "'size' at character 12 is nothing that reset has"},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

static void wrong_parentheses(void **state)
{
	static const struct wrong wrong[] = {
		{"x: alloc=f(size=1,size=2)", "'size' at character 19 is given twice"},
		{"x: alloc=f(size=1 free=g", "'f' at character 19: a comma or ')' is missing before it"},
		{"x: alloc=f(size=1(", "'(' at character 18: a comma or ')' is missing before it"},
		{"x: alloc=f(size=1", "'(' at character 11 is not closed by ')'"},
		{"x: alloc=f(size=1,", "'(' at character 11 is not closed by ')'"},
		{"x: alloc=f(", "'(' at character 11 is not closed by ')'"},
		{"x: alloc=f((", "'(' at character 12 is nothing that alloc has"},
		{"x: alloc=f(,)", "',' at character 12 is nothing that alloc has"},
		{"x: alloc=f(size=1,)", "')' at character 19 is nothing that alloc has"},
		{"x: alloc=f(nothrow=1)", "'nothrow' at character 12 is nothing that alloc has"},
		{"x: alloc=f)", "')' at character 11: a blank is missing before it"},
		{"x: alloc=f(size=1))", "')' at character 19: a blank is missing before it"},
		{"x: alloc=f(size=1)free=g", "'f' at character 19: a blank is missing before it"},
		{"x: alloc=f (size=1)", "'(' at character 12: parentheses follow a function's name without a blank"},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

static void wrong_arguments(void **state)
{
	static const struct wrong wrong[] = {
		{"x: realloc=f(ptr=1,count=2)", "'realloc=f(ptr=1,count=2)' at character 4: realloc with count= needs"},
		{"x: alloc=f(pool=1)",
		 "'alloc=f(pool=1)' at character 4: argument 1 would be both size= and pool=; give both"},
		{"x: calloc=f(size=1)", "'calloc=f(size=1)' at character 4: argument 1 would be both size= and count="},
		{"x: realloc=f(size=1)", "at character 4: argument 1 would be both size= and ptr="},
		{"x: alloc_at=f(result=3)", "at character 4: argument 3 would be both size= and result="},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

static void wrong_pools(void **state)
{
	static const struct wrong wrong[] = {
		{"x: alloc=a(size=2,pool=1) free=f",
		 "'alloc=a(size=2,pool=1)' at character 4 has pool=, but nothing resets a pool"},
		{"x: reset=r(pool=1) alloc=a(size=2,pool=1) alloc=b", "'alloc=b' at character 43 lacks pool="},
		{"x: reset=r(pool=1) alloc=a(size=2,pool=1) realloc=b", "'realloc=b' at character 43 lacks pool="},
		{"x: reset=r(pool=1) alloc_at=a calloc=b(count=2,size=3,pool=1)", "'alloc_at=a' at character 20 lacks"},
		{"x: reset=r alloc=b alloc=a(size=2,pool=1)",
		 "'alloc=a(size=2,pool=1)' at character 20 has pool=, but a reset without pool= releases all of 'x'"},
		{"x: reset=r alloc=b reset=q(pool=1)", "'reset=q(pool=1)' at character 20 has pool=, but a reset"},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

static void what_must_be_there(void **state)
{
	static const struct wrong wrong[] = {
		{" x:", "'x' at character 2: nothing in it allocates; add alloc=, calloc=, realloc= or alloc_at="},
		{"x: nothrow", "'x' at character 1: nothing in it allocates"},
		{"x: free=f reset=r", "'x' at character 1: nothing in it allocates"},
		{"x: alloc=a", "'x' at character 1: nothing in it releases: every block would look like a leak"},
		{"x: realloc=r alloc=a", "'x' at character 1: nothing in it releases"},
	};

	(void)state;
	EXPECT_ALL_REFUSED(wrong);
}

/* Each beginning of a right spec, and each with one byte of it changed, is taken or refused in a sentence. */
static void broken_texts(void **state)
{
	static const char whole[] =
		"x: alloc=a[bc]*(size=2,pool=1) free=l.so+0x1f realloc=r(pool=3,nothrow) reset=q(pool=1)";
	static const char bytes[] = "\001\x1b\x7f\x80\xc3\xff ()=,:+#*?[]@0a%";
	char text[sizeof(whole)];
	size_t i, j;
	struct err e;

	(void)state;
	for (i = 0; i < sizeof(whole); i++) {
		for (j = 0; j < sizeof(bytes); j++) {
			struct allocator_specs s = {};

			memcpy(text, whole, sizeof(whole));
			if (i < sizeof(whole) - 1)
				text[i] = bytes[j];
			if (text[0] != '@' && add(&s, text, &e))
				assert_int_equal(s.list.n, 0);
			allocator_specs__free(&s);
		}
	}
}

static void hostile_texts(void **state)
{
	static char text[1u << 20];

	(void)state;
	memset(text, '(', sizeof(text) - 1);
	expect_refused(text, "at most 4096");
	text[4096] = '\0';
	expect_refused(text, "'(' at character 1");
	memset(text, '\x80', 4096);
	expect_refused(text, "a spec begins with a name");
	memset(text, '\x1b', 4096);
	expect_refused(text, "'\\x1b' at character 1");
	memcpy(text, "x: alloc=a", 10);
	expect_refused(text, "'\\x1b' at character 11 cannot be in a function's name");
	expect_refused("x: \x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b%s%n",
		       "is not known");
	memset(text + 9, '[', 4096 - 9);
	expect_refused(text, "'[' at character 10 is not closed");
	memset(text + 9, '*', 4096 - 9);
	expect_refused(text, "could be any function");
	memset(text + 9, '+', 4096 - 9);
	expect_refused(text, "behind '+'");
	memset(text + 10, '(', 4096 - 10);
	text[9] = 'a';
	expect_refused(text, "'(' at character 12 is nothing that alloc has");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_names_of_functions),
		cmocka_unit_test(wrong_places_in_files),
		cmocka_unit_test(wrong_words),
		cmocka_unit_test(wrong_numbers),
		cmocka_unit_test(wrong_keys),
		cmocka_unit_test(wrong_parentheses),
		cmocka_unit_test(wrong_arguments),
		cmocka_unit_test(wrong_pools),
		cmocka_unit_test(what_must_be_there),
		cmocka_unit_test(broken_texts),
		cmocka_unit_test(hostile_texts),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
