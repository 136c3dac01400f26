/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is traced, tried on this process itself and on its children. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "select/process_info.h"
#include "select/target.h"

static char dir[] = "/tmp/select_test.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? -1 : 0;
}

static int parse(struct targets *t, const char *text)
{
	struct err e = {};
	int err = targets__parse(t, text, &e);

	/* A sentence exactly when it fails, and safe to show. */
	assert_int_equal(e.text[0] != '\0', err != 0);
	assert_null(strpbrk(e.text, "\033\n"));
	return err;
}

static void pids_that_are_none(void **state)
{
	static const char *const texts[] = {"",		  ",",
					    "1,",	  "1,,2",
					    ",1",	  " 1",
					    "1 ",	  "1, 2",
					    "x",	  "1x",
					    "0",	  "-1",
					    "1.5",	  "+1",
					    "2147483648", "0x10",
					    "1;2",	  "\033[2J",
					    "1e3",	  "1-2",
					    "1\n",	  "99999999999999999999"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct targets t = {};

		if (parse(&t, texts[i]) != -EINVAL)
			fail_msg("\"%s\" was taken", texts[i]);
		targets__free(&t);
	}
}

static void pids(void **state)
{
	struct targets t = {};

	(void)state;
	assert_int_equal(parse(&t, "7,1,007,2147483647,1,7"), 0);
	assert_int_equal(t.list.n, 3);
	assert_int_equal(t.list.at[0].pid, 7);
	assert_int_equal(t.list.at[1].pid, 1);
	assert_int_equal(t.list.at[2].pid, 2147483647);
	assert_int_equal(t.list.at[2].pidfd, -1);
	/* A second option adds to the first. */
	assert_int_equal(parse(&t, "1,8"), 0);
	assert_int_equal(t.list.n, 4);
	targets__free(&t);
}

static int check(pid_t pid, struct err *e)
{
	struct target t = {.pid = pid, .pidfd = -1};
	int err = targets__check(&t, e);

	if (!err) {
		assert_true(t.pidfd >= 0 && t.start_ticks > 0);
		close(t.pidfd);
	}
	return err;
}

static void *wait_for_ever(void *tid)
{
	*(_Atomic pid_t *)tid = (pid_t)syscall(SYS_gettid);
	while (*(_Atomic pid_t *)tid)
		usleep(1000);
	return NULL;
}

static void targets_that_can_not_be(void **state)
{
	_Atomic pid_t tid = 0;
	struct process_info info;
	pthread_t thread;
	struct err e;
	siginfo_t si;
	pid_t child;

	(void)state;
	assert_int_equal(check(getpid(), &e), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_ever, &tid), 0);
	while (!tid)
		usleep(1000);
	assert_int_equal(check(tid, &e), -EINVAL);
	assert_non_null(strstr(e.text, "thread"));
	tid = 0;
	pthread_join(thread, NULL);
	child = fork();
	if (!child)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(check(child, &e), -ESRCH);
	assert_non_null(strstr(e.text, "zombie"));
	waitpid(child, NULL, 0);
	assert_int_equal(check(child, &e), -ESRCH);
	assert_int_equal(process_info__read(child, &info), -ESRCH);
	assert_null(process_info__exe(child));
	assert_null(process_info__cgroup(child));
	assert_int_equal(process_info__rss(child), -1);
	if (!process_info__read(2, &info) && info.kernel_thread)
		assert_int_equal(check(2, &e), -EINVAL);
}

static void names_of_a_process(void **state)
{
	static const struct {
		const char *name, *shown;
	} names[] = {
		{") R 1 1 1 1 1 ", ") R 1 1 1 1 1 "},
		{"((a) b) S", "((a) b) S"},
		{"", ""},
		{"a\nb\033", "a\\x0ab\\x1b"},
		{" )", " )"},
		{"\377\\012", "\\xff\\012"},
	};
	struct process_info info;
	char before[16];
	size_t i;

	(void)state;
	prctl(PR_GET_NAME, before);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		prctl(PR_SET_NAME, names[i].name);
		assert_int_equal(process_info__read(getpid(), &info), 0);
		assert_string_equal(info.comm, names[i].shown);
		assert_int_equal(info.state, 'R');
		assert_int_equal(info.pid, getpid());
		assert_int_equal(info.tgid, getpid());
		assert_false(info.kernel_thread);
	}
	prctl(PR_SET_NAME, before);
}

static void facts_of_a_process(void **state)
{
	double now = (double)clock__wall_ns() / NSEC_PER_SEC;
	struct process_info info, self;
	char link[4096] = "", *exe;
	pid_t child = fork();

	(void)state;
	if (!child) {
		pause();
		_exit(0);
	}
	assert_int_equal(process_info__read(child, &info), 0);
	assert_int_equal(process_info__read(getpid(), &self), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* The kernel tells its own start in whole seconds. */
	assert_true(info.start_time > now - 1.5 && info.start_time < now + 1.5);
	assert_true(info.start_ticks >= self.start_ticks);
	assert_true(readlink("/proc/self/exe", link, sizeof(link) - 1) > 0);
	exe = process_info__exe(getpid());
	assert_string_equal(exe, link);
	free(exe);
	assert_true(process_info__rss(getpid()) > 100000);
}

/* Runs a copy of a program from a file and a folder with odd names; tells what exe is said to be. */
static char *exe_of_copy(const char *name, bool unlinked)
{
	char path[256], command[1024], *exe;
	pid_t child;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\" && cp \"$(command -v sleep)\" '%s'", path,
		 path);
	assert_int_equal(system(command), 0);
	child = fork();
	if (!child) {
		execl(path, "sleep", "60", NULL);
		_exit(1);
	}
	do {
		usleep(1000);
		exe = process_info__exe(child);
	} while (exe && !strstr(exe, dir) && (free(exe), true));
	if (unlinked) {
		free(exe);
		assert_int_equal(unlink(path), 0);
		exe = process_info__exe(child);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return exe;
}

static void exe_that_was_deleted(void **state)
{
	static const char *const names[] = {"plain", "x (deleted)/program", "y (deleted)/z (deleted)er"};
	char want[256], *exe;
	size_t i;

	(void)state;
	for (i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
		snprintf(want, sizeof(want), "%s/%s", dir, names[i / 2]);
		exe = exe_of_copy(names[i / 2], i % 2);
		assert_string_equal(exe, want);
		free(exe);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pids_that_are_none),	   cmocka_unit_test(pids),
		cmocka_unit_test(targets_that_can_not_be), cmocka_unit_test(names_of_a_process),
		cmocka_unit_test(facts_of_a_process),	   cmocka_unit_test(exe_that_was_deleted),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
