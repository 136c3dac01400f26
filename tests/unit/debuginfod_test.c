/* SPDX-License-Identifier: GPL-2.0-only */
/* Debug files from servers on this machine: good, wrong, silent and slow ones. And none where none was asked for. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "select/debuginfod.h"
#include "symbolizer_fixture.h"

#define BUILD_ID "1234567890abcdef1234567890abcdef12345678"

enum behaviour { ANSWER, TRICKLE };

static const uint8_t id[] = {0x12, 0x34, 0x56, 0x78};

#define skip_without_library()                                                                                         \
	do {                                                                                                           \
		if (!dlopen("libdebuginfod.so.1", RTLD_NOW)) {                                                         \
			print_message("SKIPPED %s: no libdebuginfod on this machine\n", __func__);                     \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)

/* A socket that takes connections, which nobody answers yet, and DEBUGINFOD_URLS set to it. */
static int start_listening(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char url[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(fd, 20), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
	setenv("DEBUGINFOD_URLS", url, 1);
	setenv("no_proxy", "127.0.0.1", 1);
	/* A folder for each test: the client remembers what it did not get. */
	run("rm -rf cache && mkdir cache");
	setenv("DEBUGINFOD_CACHE_PATH", in_dir("cache"), 1);
	return fd;
}

static bool was_contacted(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(1);
}

static void answer(int fd, enum behaviour how, const char *content)
{
	static char request[4096], bytes[1 << 20];
	__cleanup_close int file = -1;
	char head[128];
	ssize_t n;

	if (read(fd, request, sizeof(request) - 1) <= 0)
		return;
	if (how == TRICKLE) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
		for (;;) {
			say(fd, "x");
			usleep(50000);
		}
	}
	file = open(content, O_RDONLY);
	n = file >= 0 && strstr(request, "/buildid/" BUILD_ID "/debuginfo") ? read(file, bytes, sizeof(bytes)) : -1;
	if (n < 0) {
		say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		return;
	}
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zd\r\nConnection: close\r\n\r\n", n);
	say(fd, head);
	if (write(fd, bytes, (size_t)n) != n)
		_exit(1);
}

static pid_t start_server(int listener, enum behaviour how, const char *content)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		alarm(60);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			answer(fd, how, content);
			close(fd);
		}
	}
	return pid;
}

static void stop_server(pid_t pid, int listener)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(listener);
	unsetenv("DEBUGINFOD_URLS");
}

static void not_asked_for(void **state)
{
	static const char *const urls[] = {NULL, ""};
	int listener = start_listening();
	uint64_t mark;
	size_t i;

	(void)state;
	make_stripped("-Wl,--build-id=0x" BUILD_ID);
	run("mv plain.debug moved");
	mark = must_find("plain", "mark");
	for (i = 0; i < 2; i++) {
		struct debuginfod *d = debuginfod__new(NSEC_PER_SEC);

		if (urls[i])
			setenv("DEBUGINFOD_URLS", urls[i], 1);
		else
			unsetenv("DEBUGINFOD_URLS");
		assert_int_equal(debuginfod__find(d, id, sizeof(id)), -ENOENT);
		check_unnamed("stripped", mark);
		assert_false(was_contacted(listener));
		debuginfod__free(d);
	}
	close(listener);
	unsetenv("DEBUGINFOD_URLS");
	assert_int_equal(debuginfod__find(NULL, id, sizeof(id)), -ENOENT);
	debuginfod__free(NULL);
}

static void good_server(void **state)
{
	int listener;
	struct module m;
	pid_t pid;

	(void)state;
	skip_without_library();
	make_stripped("-Wl,--build-id=0x" BUILD_ID);
	run("mv plain.debug moved");
	listener = start_listening();
	pid = start_server(listener, ANSWER, in_dir("moved"));
	m = open_module("stripped");
	check_plain(&m, "plain", true);
	close_module(&m);
	stop_server(pid, listener);
}

/* It has something else under that name. */
static void wrong_answers(void **state)
{
	static const char *const contents[] = {"other.debug", "text", "nothing"};
	uint64_t mark;
	size_t i;

	(void)state;
	skip_without_library();
	make_stripped("-Wl,--build-id=0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	run("mv plain.debug other.debug && echo '<html>' >text");
	make_stripped("-Wl,--build-id=0x" BUILD_ID);
	run("mv plain.debug moved");
	mark = must_find("plain", "mark");
	for (i = 0; i < 3; i++) {
		int listener = start_listening();
		pid_t pid = start_server(listener, ANSWER, in_dir(contents[i]));

		check_unnamed("stripped", mark);
		stop_server(pid, listener);
	}
}

/* The first question ends when time is up (within the second that the client needs to notice), the others at once. */
static void check_late(struct debuginfod *d, int listener)
{
	uint64_t begin = clock__mono_ns(), spent;
	int i;

	assert_true(debuginfod__find(d, id, sizeof(id)) < 0);
	spent = clock__mono_ns() - begin;
	assert_in_range(spent, NSEC_PER_SEC, 10 * NSEC_PER_SEC);
	assert_true(listener < 0 || was_contacted(listener));
	begin = clock__mono_ns();
	for (i = 0; i < 100; i++)
		assert_int_equal(debuginfod__find(d, id, sizeof(id)), -ENOENT);
	assert_true(clock__mono_ns() - begin < NSEC_PER_SEC);
	debuginfod__free(d);
}

static void silent_server(void **state)
{
	int listener;

	(void)state;
	skip_without_library();
	listener = start_listening();
	check_late(debuginfod__new(NSEC_PER_SEC), listener);
	close(listener);
	unsetenv("DEBUGINFOD_URLS");
}

static void trickling_server(void **state)
{
	int listener;
	pid_t pid;

	(void)state;
	skip_without_library();
	listener = start_listening();
	pid = start_server(listener, TRICKLE, "");
	check_late(debuginfod__new(NSEC_PER_SEC), -1);
	stop_server(pid, listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_asked_for), cmocka_unit_test(good_server),	     cmocka_unit_test(wrong_answers),
		cmocka_unit_test(silent_server), cmocka_unit_test(trickling_server),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
