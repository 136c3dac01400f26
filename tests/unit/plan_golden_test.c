/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The plans of the allocators that Debian has had, by build-id, in golden/plans.txt: each change of how probes are
 * placed shows there what it does to real libraries. Those that this machine has are compared.
 *
 *	PLAN_GOLDEN_DIR=FOLDER	   compare all files in a folder, too
 *	PLAN_GOLDEN_PRINT=INDEX	   print the file anew, from the libraries that an index names: a line for each with its
 *				   path from the index's folder on, distribution, suite, package and version, tabs
 *between
 */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "plan_text.h"

#define GOLDEN "tests/unit/golden/plans.txt"

struct lines {
	VEC(char *) at;
};

static struct lines golden;
static struct {
	VEC(char *) ids;
	unsigned int unknown;
} compared;

static void add_line(char *line, size_t n)
{
	char **slot = vec__add(&golden.at);

	assert_non_null(slot);
	*slot = strndup(line, n);
	assert_non_null(*slot);
}

static int read_golden(void **state)
{
	__cleanup_fclose FILE *f = fopen(GOLDEN, "r");
	char line[512];

	(void)state;
	while (f && fgets(line, sizeof(line), f))
		add_line(line, strcspn(line, "\n"));
	return 0;
}

static int forget_golden(void **state)
{
	char **line;

	(void)state;
	vec__each (&golden.at, line)
		free(*line);
	vec__free(&golden.at);
	vec__each (&compared.ids, line)
		free(*line);
	vec__free(&compared.ids);
	return 0;
}

static bool is_header(const char *line)
{
	return !strncmp(line, "file ", 5);
}

/* The number of the first line of the plan of this build-id; 0: it is not known. */
static size_t golden_plan(const char *id)
{
	size_t i;

	for (i = 0; i < golden.at.n; i++) {
		if (!is_header(golden.at.at[i]) || strncmp(golden.at.at[i] + 5, id, strlen(id)))
			continue;
		while (i < golden.at.n && is_header(golden.at.at[i]))
			i++;
		return i;
	}
	return 0;
}

static void assert_as_golden(const char *path, char *plan, size_t at)
{
	char *rest = plan, *line;

	while ((line = strsep(&rest, "\n")) && *line) {
		const char *want = at < golden.at.n ? golden.at.at[at++] : "";

		if (strcmp(line, want))
			fail_msg("%s\n  is planned as %s\n  and not as    %s", path, line, want);
	}
	if (at < golden.at.n && *golden.at.at[at])
		fail_msg("%s has no %s", path, golden.at.at[at]);
}

static bool was_compared(const char *id)
{
	char **known;

	vec__each (&compared.ids, known) {
		if (!strcmp(*known, id))
			return true;
	}
	known = vec__add(&compared.ids);
	assert_non_null(known);
	*known = strdup(id);
	return false;
}

/* Compare a library, if it is an allocator. Should it be known? Then it is said that it is not. */
static void compare(const char *path, bool should_be_known)
{
	char id[2 * BUILD_ID_MAX + 1];
	size_t at;
	char *plan;

	if (!plan_text__build_id(path, id) || was_compared(id))
		return;
	at = golden_plan(id);
	plan = at || should_be_known ? plan_text__of_file(path) : NULL;
	if (plan && at)
		assert_as_golden(path, plan, at);
	else if (plan && *plan)
		print_message("SKIPPED plan_golden: %s has a build-id that is not known\n", path);
	compared.unknown += !at;
	free(plan);
}

static unsigned int n_compared(void)
{
	return (unsigned int)compared.ids.n - compared.unknown;
}

static void installed(void **state)
{
	static const char *const patterns[] = {"/lib/x86_64-linux-gnu/libc.so.6",
					       "/lib/ld-musl-x86_64.so.1",
					       "/usr/lib/x86_64-linux-gnu/libjemalloc.so*",
					       "/usr/lib/x86_64-linux-gnu/libtcmalloc*.so*",
					       "/usr/lib/x86_64-linux-gnu/libmimalloc*.so*",
					       "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
					       "/usr/lib/x86_64-linux-musl/libc.so"};
	unsigned int i;
	size_t k;

	(void)state;
	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		glob_t found = {};

		if (!glob(patterns[i], 0, NULL, &found)) {
			for (k = 0; k < found.gl_pathc; k++)
				compare(found.gl_pathv[k], true);
		}
		globfree(&found);
	}
	if (!n_compared()) {
		print_message("SKIPPED %s: all allocators of this machine are unknown\n", __func__);
		skip();
	}
}

static int compare_found(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)where;
	if (type == FTW_F && S_ISREG(st->st_mode))
		compare(path, false);
	return 0;
}

static void in_a_folder(void **state)
{
	const char *folder = getenv("PLAN_GOLDEN_DIR");

	(void)state;
	if (!folder)
		return;
	assert_int_equal(nftw(folder, compare_found, 16, FTW_PHYS), 0);
	print_message("%u libraries compared\n", n_compared());
	assert_true(n_compared() > 0);
}

/* Blocks are parted by empty lines; each begins with the files that it is of. */
static void form(void **state)
{
	size_t i, n = 0;

	(void)state;
	assert_true(golden.at.n > 100);
	for (i = 0; i < golden.at.n; i++) {
		const char *line = golden.at.at[i];
		bool after_header = i && is_header(golden.at.at[i - 1]);

		if (line[0] == '#')
			continue;
		if (is_header(line)) {
			assert_true(after_header || !i || !*golden.at.at[i - 1] || golden.at.at[i - 1][0] == '#');
			assert_int_equal(strspn(line + 5, "0123456789abcdef"), 40);
			n++;
		} else if (!*line) {
			assert_false(after_header);
		} else {
			assert_non_null(strchr(line, ' '));
		}
	}
	assert_true(n >= 10);
}

/* A library of an index: the line of its file, and its plan. */
struct entry {
	char id[2 * BUILD_ID_MAX + 1];
	char header[256];
	char *plan;
	bool printed;
};

/* Packages with the allocators that are known. */
static bool is_wanted(const char *distribution, const char *package)
{
	static const char *const begins[] = {"libjemalloc2", "libtcmalloc-minimal4", "libgoogle-perftools4",
					     "libmimalloc", "libstdc++6"};
	size_t i;

	if (strcmp(distribution, "debian"))
		return false;
	for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		if (!strncmp(package, begins[i], strlen(begins[i])))
			return true;
	}
	return !strcmp(package, "libc6") || !strcmp(package, "musl");
}

static bool read_entry(struct entry *e, const char *folder, char *line)
{
	char *rest = line, *path = strsep(&rest, "\t"), *distribution = strsep(&rest, "\t"),
	     *suite = strsep(&rest, "\t"), *package = strsep(&rest, "\t"), *version = strsep(&rest, "\t\n"), full[1024];

	if (!version || !is_wanted(distribution, package))
		return false;
	snprintf(full, sizeof(full), "%s/%s", folder, path);
	if (!plan_text__build_id(full, e->id))
		return false;
	e->plan = plan_text__of_file(full);
	snprintf(e->header, sizeof(e->header), "file %s %s %s %s %s", e->id, package, version, suite, basename(path));
	return e->plan && *e->plan;
}

/* Those with the same plan have one block; one that several suites have is named once. */
static void print_entries(struct entry *all, size_t n)
{
	size_t i, k, m;

	printf("# Written by plan_golden_test with PLAN_GOLDEN_PRINT; see there and plan_text.h.\n\n");
	for (i = 0; i < n; i++) {
		if (all[i].printed)
			continue;
		for (k = i; k < n; k++) {
			if (strcmp(all[i].plan, all[k].plan))
				continue;
			for (m = i; m < k && strcmp(all[m].id, all[k].id); m++)
				;
			if (m == k)
				printf("%s\n", all[k].header);
			all[k].printed = true;
		}
		printf("%s\n", all[i].plan);
	}
}

static int print_golden(const char *index)
{
	__cleanup_fclose FILE *f = fopen(index, "r");
	__cleanup_free char *copy = strdup(index);
	struct {
		VEC(struct entry) at;
	} all = {};
	struct entry *e;
	char line[1024];

	if (!f || !copy) {
		perror(index);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		e = vec__add(&all.at);
		if (e && !read_entry(e, dirname(copy), line)) {
			free(e->plan);
			all.at.n--;
		}
		strcpy(copy, index);
	}
	print_entries(all.at.at, all.at.n);
	vec__each (&all.at, e)
		free(e->plan);
	vec__free(&all.at);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(form),
		cmocka_unit_test(installed),
		cmocka_unit_test(in_a_folder),
	};

	elf_version(EV_CURRENT);
	if (getenv("PLAN_GOLDEN_PRINT"))
		return print_golden(getenv("PLAN_GOLDEN_PRINT"));
	alarm(100);
	return cmocka_run_group_tests(tests, read_golden, forget_golden);
}
