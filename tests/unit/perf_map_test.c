/* SPDX-License-Identifier: GPL-2.0-only */
/* The perf map of this process itself, and of children that see themselves otherwise; most of it is hostile. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "collect/perf_map.h"

static char path[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	umask(022);
	return 0;
}

static int clean_up(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void put(const char *how, const void *bytes, size_t n)
{
	__cleanup_fclose FILE *f = fopen(path, how);

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
}

static void write_file(const char *text)
{
	put("w", text, strlen(text));
}

static void append(const char *text)
{
	put("a", text, strlen(text));
}

static struct perf_map *read_map(void)
{
	struct perf_map *m = perf_map__new(getpid());

	assert_non_null(m);
	perf_map__refresh(m);
	return m;
}

static void assert_name(struct perf_map *m, uint64_t address, const char *name)
{
	uint64_t start = 0;
	const char *got = perf_map__find(m, address, &start);

	if (name) {
		assert_non_null(got);
		assert_string_equal(got, name);
		assert_true(start <= address);
	} else {
		assert_null(got);
	}
}

static void plain_file(void **state)
{
	struct perf_map *m;
	uint64_t start;

	(void)state;
	write_file("7f0000001000 40 first\n"
		   "0x7F0000001040 0x10 py::f:/a b/c.py\n"
		   "7f0000002000\t8\tLazyCompile:~go /x.js:1:2\n");
	m = read_map();
	assert_name(m, 0x7f0000000fff, NULL);
	assert_name(m, 0x7f0000001000, "first");
	assert_name(m, 0x7f000000103f, "first");
	assert_name(m, 0x7f0000001040, "py::f:/a b/c.py");
	assert_name(m, 0x7f0000001050, NULL);
	assert_name(m, 0x7f0000002007, "LazyCompile:~go /x.js:1:2");
	assert_name(m, 0x7f0000002008, NULL);
	assert_ptr_equal(perf_map__find(m, 0x7f0000001020, &start), perf_map__find(m, 0x7f0000001021, &start));
	assert_int_equal(start, 0x7f0000001000);
	perf_map__free(m);
}

static void no_file(void **state)
{
	struct perf_map *m = read_map();

	(void)state;
	assert_name(m, 0x1000, NULL);
	perf_map__free(m);
	perf_map__free(NULL);
	m = perf_map__new(999999999);
	perf_map__refresh(m);
	assert_name(m, 0x1000, NULL);
	perf_map__free(m);
}

static void later_lines_replace_earlier_ones(void **state)
{
	struct perf_map *m;
	uint64_t start;

	(void)state;
	write_file("1000 100 old\n1040 20 middle\n2000 10 a\n2000 20 b\n");
	m = read_map();
	assert_name(m, 0x103f, "old");
	assert_name(m, 0x1040, "middle");
	assert_string_equal(perf_map__find(m, 0x1060, &start), "old");
	assert_int_equal(start, 0x1000);
	assert_name(m, 0x2000, "b");
	append("1000 50 new\n");
	assert_name(m, 0x1000, "old");
	perf_map__refresh(m);
	assert_name(m, 0x1000, "new");
	assert_name(m, 0x104f, "new");
	assert_name(m, 0x1050, "middle");
	assert_name(m, 0x10ff, "old");
	perf_map__free(m);
}

static void growing_file(void **state)
{
	const char *first;
	struct perf_map *m;
	uint64_t start;
	char line[64];
	int i;

	(void)state;
	write_file("1000 10 one\n2000 1");
	m = read_map();
	first = perf_map__find(m, 0x1000, &start);
	assert_name(m, 0x2000, NULL);
	append("0 tw");
	perf_map__refresh(m);
	assert_name(m, 0x2000, NULL);
	append("o\n");
	perf_map__refresh(m);
	assert_name(m, 0x2000, "two");
	for (i = 0; i < 500; i++) {
		snprintf(line, sizeof(line), "%x 10 f%d\n", 0x100000 - 32 * i, i);
		append(line);
		perf_map__refresh(m);
		snprintf(line, sizeof(line), "f%d", i / 2);
		assert_name(m, 0x100000 - 32 * (uint64_t)(i / 2), line);
	}
	assert_string_equal(first, "one");
	assert_ptr_equal(perf_map__find(m, 0x100f, &start), first);
	perf_map__free(m);
}

static void other_file(void **state)
{
	const char *old;
	struct perf_map *m;
	uint64_t start;
	char other[80];

	(void)state;
	write_file("1000 10 one\n2000 10 two\n");
	m = read_map();
	old = perf_map__find(m, 0x1000, &start);
	/* Shorter. */
	write_file("1000 10 three\n");
	perf_map__refresh(m);
	assert_name(m, 0x1000, "three");
	assert_name(m, 0x2000, NULL);
	/* Longer, but another one. */
	snprintf(other, sizeof(other), "%s.new", path);
	assert_int_equal(rename(path, other), 0);
	write_file("3000 10 four\n3000 10 five\n");
	assert_int_equal(unlink(other), 0);
	perf_map__refresh(m);
	assert_name(m, 0x1000, NULL);
	assert_name(m, 0x3000, "five");
	/* None: what is known stays. */
	unlink(path);
	perf_map__refresh(m);
	assert_name(m, 0x3000, "five");
	assert_string_equal(old, "one");
	perf_map__free(m);
}

static void lines_without_sense(void **state)
{
	struct perf_map *m;

	(void)state;
	write_file("\n \n1000\n1000 \n1000 10\n1000 10 \n-1000 10 minus\n+1000 10 plus\n 1000 10 blank\n"
		   "1000 -10 minus\n1000 0 empty\nffffffffffffffff 2 wrap\n10000000000000000 10 big\n1000 "
		   "10000000000000000 big\n10g0 10 letter\n1000 1g letter\n# 1000 10 comment\n0x 10 nothing\n"
		   "fffffffffffffff0 f last\n4000 10 good");
	m = read_map();
	assert_name(m, 0x1000, NULL);
	assert_name(m, 0xffffffffffffffff, NULL);
	assert_name(m, 0, NULL);
	assert_name(m, 0xfffffffffffffff0, "last");
	/* It has no end yet. */
	assert_name(m, 0x4000, NULL);
	perf_map__free(m);
}

static void unsafe_names(void **state)
{
	static const char bytes[] = "1000 10 \033[31mred\x9b\xff\n2000 10 cut\0here\n3000 10 \0\n4000 10 cr\r\n";
	struct perf_map *m;

	(void)state;
	put("w", bytes, sizeof(bytes) - 1);
	m = read_map();
	assert_name(m, 0x1000, "\\x1b[31mred\\x9b\\xff");
	assert_name(m, 0x2000, "cut");
	assert_name(m, 0x3000, NULL);
	assert_name(m, 0x4000, "cr\\x0d");
	perf_map__free(m);
}

static void huge_lines(void **state)
{
	size_t n = 10 << 20;
	__cleanup_free char *line = malloc(n);
	struct perf_map *m;
	uint64_t start;
	size_t len;

	(void)state;
	memset(line, 'x', n);
	memcpy(line, "1000 10 ", 8);
	put("w", line, n);
	append("\n2000 10 after\n");
	memset(line, '0', n);
	put("a", line, n);
	append(" 10 digits\n3000 10 end\n");
	m = read_map();
	len = strlen(perf_map__find(m, 0x1000, &start));
	assert_in_range(len, 1000, 4096);
	assert_name(m, 0x2000, "after");
	assert_name(m, 0, NULL);
	assert_name(m, 0x3000, "end");
	perf_map__free(m);
}

static void garbage(void **state)
{
	static char bytes[1 << 20];
	uint32_t seed = 4711;
	struct perf_map *m;
	size_t i, round;
	uint64_t start;

	(void)state;
	for (round = 0; round < 4; round++) {
		/* Any bytes, then ever more of those that a real file is made of. */
		for (i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525u + 1013904223u;
			bytes[i] = round ? "0123456789abcdef  \n\nx"[(seed >> 8) % 21] : (char)(seed >> 8);
		}
		put("w", bytes, sizeof(bytes) >> round);
		m = read_map();
		for (i = 0; i < 10000; i++)
			perf_map__find(m, i * 7919, &start);
		perf_map__free(m);
	}
}

static void more_than_the_limits(void **state)
{
	uint64_t begin = clock__mono_ns();
	__cleanup_fclose FILE *f = NULL;
	struct perf_map *m;
	uint64_t i, known = 0, start;

	(void)state;
	f = fopen(path, "w");
	for (i = 0; i < (1 << 20) + 50000; i++)
		fprintf(f, "%lx 8 f%lx\n", 0x100000 + 16 * i, i);
	fflush(f);
	m = read_map();
	for (i = 0; i < (1 << 20) + 50000; i += 1000)
		known += perf_map__find(m, 0x100000 + 16 * i, &start) != NULL;
	assert_in_range(known, 1000, 1049);
	assert_name(m, 0x100000, "f0");
	/* A hole of a terabyte. */
	assert_int_equal(ftruncate(fileno(f), 1ll << 40), 0);
	perf_map__refresh(m);
	perf_map__refresh(m);
	assert_name(m, 0x100000, "f0");
	perf_map__free(m);
	assert_true(clock__mono_ns() - begin < 40 * NSEC_PER_SEC);
}

static void assert_not_believed(void)
{
	struct perf_map *m = read_map();

	assert_name(m, 0x1000, NULL);
	perf_map__free(m);
}

static void no_regular_file(void **state)
{
	char real[80];

	(void)state;
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_believed();
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_not_believed();
	rmdir(path);
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_not_believed();
	unlink(path);
	snprintf(real, sizeof(real), "%s.real", path);
	write_file("1000 10 one\n");
	assert_int_equal(rename(path, real), 0);
	assert_int_equal(symlink(real, path), 0);
	assert_not_believed();
	unlink(path);
	unlink(real);
}

static void others_can_write(void **state)
{
	struct perf_map *m;

	(void)state;
	write_file("1000 10 one\n");
	chmod(path, 0620);
	assert_not_believed();
	chmod(path, 0602);
	assert_not_believed();
	chmod(path, 0644);
	m = read_map();
	assert_name(m, 0x1000, "one");
	/* What was good once is not looked at any more. */
	append("2000 10 two\n");
	chmod(path, 0666);
	perf_map__refresh(m);
	assert_name(m, 0x1000, "one");
	assert_name(m, 0x2000, NULL);
	perf_map__free(m);
}

static void belongs_to_others(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	write_file("1000 10 one\n");
	assert_int_equal(chown(path, 12345, 0), 0);
	assert_not_believed();
}

/* Nobody removes these files, and pids come again. */
static void older_than_the_process(void **state)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
	struct perf_map *m;

	(void)state;
	write_file("1000 10 one\n");
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	assert_not_believed();
	append("2000 10 two\n");
	m = read_map();
	assert_name(m, 0x2000, "two");
	perf_map__free(m);
}

/* Whoever holds a lease is asked to give it up, and has 45 s for it. */
static void lease(void **state)
{
	uint64_t begin;
	pid_t child;
	int ready[2];
	char c;

	(void)state;
	write_file("1000 10 one\n");
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		int fd = open(path, O_RDWR);

		signal(SIGIO, SIG_IGN);
		alarm(60);
		if (fd < 0 || fcntl(fd, F_SETLEASE, F_WRLCK) || write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) == 1) {
		begin = clock__mono_ns();
		assert_not_believed();
		assert_true(clock__mono_ns() - begin < 5 * NSEC_PER_SEC);
	} else {
		print_message("no leases here\n");
	}
	close(ready[0]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void write_below(const char *root, const char *name, const char *text, uid_t owner)
{
	__cleanup_fclose FILE *f = NULL;
	char at[128];

	snprintf(at, sizeof(at), "%s/tmp/%s", root, name);
	f = fopen(at, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fchown(fileno(f), owner, owner), 0);
}

/* In a root and a pid namespace of its own, as another user. */
static pid_t start_contained(const char *root)
{
	int ready[2];
	pid_t child;
	char c;

	assert_int_equal(pipe(ready), 0);
	child = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	assert_true(child >= 0);
	if (!child) {
		alarm(60);
		if (getpid() != 1 || chroot(root) || chdir("/") || setuid(12345) || write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return child;
}

static void contained_process(void **state)
{
	char root[] = "/tmp/perf_map_test.XXXXXX", command[128], name[64];
	struct perf_map *m;
	pid_t child;

	(void)state;
	if (geteuid())
		skip();
	assert_non_null(mkdtemp(root));
	snprintf(command, sizeof(command), "chmod 755 %s && mkdir %s/tmp && chmod 1777 %s/tmp", root, root, root);
	assert_int_equal(system(command), 0);
	child = start_contained(root);
	m = perf_map__new(child);
	/* Ours of that name is not meant. */
	snprintf(name, sizeof(name), "/tmp/perf-%d.map", child);
	assert_int_equal(rename(path, name), 0);
	perf_map__refresh(m);
	assert_name(m, 0x1000, NULL);
	unlink(name);
	/* Under its pid here, as a profiler outside would put it. */
	write_below(root, name + 5, "1000 10 outer\n", 0);
	perf_map__refresh(m);
	assert_name(m, 0x1000, "outer");
	write_below(root, "perf-1.map", "1000 10 inner\n", 12345);
	perf_map__refresh(m);
	assert_name(m, 0x1000, "inner");
	/* Not its own any more; the other one is. */
	write_below(root, "perf-1.map", "1000 10 foreign\n2000 10 foreign\n", 54321);
	perf_map__refresh(m);
	assert_name(m, 0x2000, NULL);
	assert_name(m, 0x1000, "outer");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	perf_map__refresh(m);
	assert_name(m, 0x1000, "outer");
	perf_map__free(m);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

static int with_file(void **state)
{
	set_up(state);
	write_file("1000 10 host\n");
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(plain_file),
		TEST(no_file),
		TEST(later_lines_replace_earlier_ones),
		TEST(growing_file),
		TEST(other_file),
		TEST(lines_without_sense),
		TEST(unsafe_names),
		TEST(huge_lines),
		TEST(garbage),
		TEST(more_than_the_limits),
		TEST(no_regular_file),
		TEST(others_can_write),
		TEST(belongs_to_others),
		TEST(older_than_the_process),
		TEST(lease),
		cmocka_unit_test_setup_teardown(contained_process, with_file, clean_up),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
