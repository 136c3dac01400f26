/* SPDX-License-Identifier: GPL-2.0-only */
/* Allocators that the user describes: how many there can be, from files, and by the prefix of their names. */
#include "spec_words.h"

/* A spec of so many allocating functions, and one that releases. */
static const char *spec_of(char *text, size_t size, unsigned int n)
{
	size_t used = (size_t)snprintf(text, size, "x: free=f");
	unsigned int i;

	for (i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, size - used, " alloc=a%u", i);
	return text;
}

static void limits(void **state)
{
	char text[2 * ALLOCATOR_SPEC_SIZE], sentence[64];
	struct allocator_specs s = {};
	struct err e;
	int i;

	(void)state;
	assert_int_equal(added(&s, spec_of(text, sizeof(text), 63))->n, 64);
	expect_refused(spec_of(text, sizeof(text), 64), "is one function too many; a spec has at most 64");
	snprintf(sentence, sizeof(sentence), "'alloc=' at character %zu", strlen(text) - strlen("alloc=a63") + 1);
	expect_refused(text, sentence);
	assert_int_equal(add(&s, "x: alloc=a free=f", &e), -EINVAL);
	assert_non_null(strstr(e.text, "'x' is described already"));
	/* What begins alike is another. */
	added(&s, "xy: alloc=a free=f");
	for (i = 2; i < 32; i++) {
		snprintf(text, sizeof(text), "x%d: alloc=a free=f", i);
		added(&s, text);
	}
	assert_int_equal(add(&s, "y: alloc=a free=f", &e), -EINVAL);
	assert_non_null(strstr(e.text, "at most 32"));
	assert_int_equal(allocator_specs__add_prefix(&s, "my_", &e), -EINVAL);
	assert_non_null(strstr(e.text, "-S: at most 32"));
	assert_int_equal(s.list.n, 32);
	allocator_specs__free(&s);
}

static void length(void **state)
{
	char text[ALLOCATOR_SPEC_SIZE + 2] = "x: free=f alloc=a";
	struct allocator_specs s = {};
	size_t n = strlen(text);

	(void)state;
	memset(text + n, 'a', ALLOCATOR_SPEC_SIZE - n);
	assert_int_equal(strlen(added(&s, text)->fns[1].name), ALLOCATOR_SPEC_SIZE - n + 1);
	text[ALLOCATOR_SPEC_SIZE] = 'a';
	expect_refused(text, "--allocator: a spec has 4097 characters; at most 4096 can be");
	allocator_specs__free(&s);
}

/* Specs in a file of this text. */
static int add_text(struct allocator_specs *s, const char *text, size_t n, struct err *e)
{
	char name[] = "/tmp/spec_test.XXXXXX", at_name[64];
	int err, fd = mkstemp(name);

	assert_true(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	close(fd);
	snprintf(at_name, sizeof(at_name), "@%s", name);
	err = add(s, at_name, e);
	unlink(name);
	if (err)
		assert_non_null(strstr(e->text, name));
	return err;
}

static void expect_file_refused(const char *text, size_t n, int err, const char *sentence)
{
	struct allocator_specs s = {};
	struct err e;

	assert_int_equal(add_text(&s, text, n, &e), err);
	if (!strstr(e.text, sentence))
		fail_msg("%s", e.text);
	allocator_specs__free(&s);
}

static void files(void **state)
{
	static const char good[] = "# pools of the server\n\n \t\n  x: alloc=a free=f # as C has them\r\n"
				   "y:alloc=a free=f\t#\n#z: alloc=a\nz: alloc=b(size=2) free=f";
	static const char nul[] = "x: alloc=a\0 free=f\n";
	static const struct wrong wrong[] = {
		{"", "has no spec in it"},
		{"# x: alloc=a free=f\n\n", "has no spec in it"},
		{"x: alloc=a free=f\n\n  y: allok=a\n", ", line 3: 'allok' at character 6 is not known"},
		{"x: alloc=a free=f\nx: alloc=a free=f\n", ", line 2: 'x' is described already"},
		{"x: alloc=a # free=f\n", ", line 1: 'x' at character 1: nothing in it releases"},
		{"x: alloc=a#b free=f\n", ", line 1: '#' at character 11 cannot"},
		{"x: alloc=a\n   free=f\n", ", line 1: 'x' at character 1: nothing in it releases"},
		{"@x\n", ", line 1: '@' at character 1: a spec begins with a name"},
	};
	struct allocator_specs s = {};
	struct err e;
	size_t i;

	(void)state;
	assert_int_equal(add_text(&s, good, strlen(good), &e), 0);
	assert_int_equal(s.list.n, 3);
	assert_string_equal(s.list.at[0]->name, "x");
	assert_string_equal(s.list.at[1]->name, "y");
	expect_family(s.list.at[2], "free f ptr0; alloc b size1 throws; ");
	allocator_specs__free(&s);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_file_refused(wrong[i].text, strlen(wrong[i].text), -EINVAL, wrong[i].sentence);
	expect_file_refused(nul, sizeof(nul) - 1, -EINVAL, "is no text: byte 11 is 0");
}

static void files_that_cannot_be_read(void **state)
{
	struct allocator_specs s = {};
	char text[5000] = "@/";
	struct err e;

	(void)state;
	assert_int_equal(add(&s, "@/nonexistent/x", &e), -ENOENT);
	assert_non_null(strstr(e.text, "--allocator: /nonexistent/x: No such file"));
	assert_int_equal(add(&s, "@/tmp", &e), -EISDIR);
	assert_non_null(strstr(e.text, "/tmp: Is a directory"));
	assert_int_equal(add(&s, "@/dev/zero", &e), -EINVAL);
	assert_non_null(strstr(e.text, "/dev/zero is larger than 1 MiB"));
	assert_int_equal(add(&s, "@", &e), -EINVAL);
	assert_non_null(strstr(e.text, "not followed by a file"));
	memset(text + 2, 'x', sizeof(text) - 3);
	assert_int_equal(add(&s, text, &e), -ENAMETOOLONG);
	/* The reason is not cut off with the name. */
	assert_non_null(strstr(e.text, "give a file"));
	assert_int_equal(s.list.n, 0);
	allocator_specs__free(&s);
}

static void prefixes(void **state)
{
	struct allocator_specs s = {};
	const struct family *f;
	struct err e;

	(void)state;
	assert_int_equal(allocator_specs__add_prefix(&s, "my_", &e), 0);
	assert_int_equal(allocator_specs__add_prefix(&s, "je.$", &e), 0);
	assert_int_equal(s.list.n, 2);
	f = s.list.at[0];
	assert_string_equal(f->name, "my_*");
	expect_family(
		f, "free my_free ptr0; free my_cfree ptr0; free my_free_sized ptr0; free my_free_aligned_sized ptr0; "
		   "realloc my_realloc size1 ptr0 throws; realloc my_reallocarray size2 count1 ptr0 throws; "
		   "alloc my_malloc size0 throws; alloc my_calloc size1 count0 throws; alloc_at my_posix_memalign "
		   "size2 ptr0 throws; "
		   "alloc my_aligned_alloc size1 throws; alloc my_memalign size1 throws; alloc my_valloc size0 throws; "
		   "alloc my_pvalloc size0 throws; ");
	assert_non_null(family__find(s.list.at[1], "je.$malloc"));
	allocator_specs__free(&s);
}

static void wrong_prefixes(void **state)
{
	static const struct wrong wrong[] = {
		{"", "-S: the prefix is empty"},
		{"my_*", "-S 'my_*': character 4 cannot be in a prefix; letters, digits and _ $ . can"},
		{"a b", "character 2 cannot"},
		{"\x1b[", "-S '\\x1b[': character 1 cannot"},
		{"a23456789012345678901234567890123456789012345678901234567890123456", "66 characters"},
		{"twice", "-S: 'twice*' is described already"},
	};
	char prefix[65] = "", name[80];
	struct allocator_specs s = {};
	struct err e;
	size_t i;

	(void)state;
	assert_int_equal(allocator_specs__add_prefix(&s, "twice", &e), 0);
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(allocator_specs__add_prefix(&s, wrong[i].text, &e), -EINVAL);
		if (!strstr(e.text, wrong[i].sentence))
			fail_msg("\"%s\": %s", wrong[i].text, e.text);
	}
	memset(prefix, 'p', 64);
	assert_int_equal(allocator_specs__add_prefix(&s, prefix, &e), 0);
	snprintf(name, sizeof(name), "%sposix_memalign", prefix);
	assert_non_null(family__find(s.list.at[1], name));
	allocator_specs__free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),   cmocka_unit_test(length),
		cmocka_unit_test(files),    cmocka_unit_test(files_that_cannot_be_read),
		cmocka_unit_test(prefixes), cmocka_unit_test(wrong_prefixes),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
