/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/self_trace.h"
#include "probe/attach_path.h"
#include "probe/calibrate.h"

#define PAIRS	   16	 /* in one call stack */
#define TRACING_MS 20000 /* until leaktrace must have attached */
#define ANSWER_MS  5000

/* Between us and the child. */
struct shared {
	double ns; /* of the last measurement */
};

/* At the bottom of a call stack of a usual depth. */
static __attribute__((noinline)) void allocate(unsigned int frames)
{
	void *volatile block;
	int i;

	if (frames) {
		allocate(frames - 1);
		__asm__ volatile("" ::: "memory"); /* no tail call */
		return;
	}
	for (i = 0; i < PAIRS; i++) {
		block = malloc(64);
		free(block);
	}
}

static void allocate_deep(void)
{
	allocate(SELF_TRACE_FRAMES);
}

/* For each byte that comes, measure and answer with one. */
static __attribute__((noreturn)) void child(struct shared *s, int ask, int answer)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(ask, &c, 1) == 1) {
		s->ns = calibrate__time(allocate_deep) / PAIRS;
		if (write(answer, &c, 1) != 1)
			break;
	}
	_exit(0);
}

enum { ASK_READ, ASK_WRITE, ANSWER_READ, ANSWER_WRITE, LOG_READ, LOG_WRITE, N_ENDS };

struct pipes {
	int fd[N_ENDS];
};

static int wait_readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1 ? 0 : -ETIMEDOUT;
}

static int measure(const struct shared *s, const struct pipes *p, double *ns)
{
	char c = 0;

	if (write(p->fd[ASK_WRITE], &c, 1) != 1 || wait_readable(p->fd[ANSWER_READ], ANSWER_MS) ||
	    read(p->fd[ANSWER_READ], &c, 1) != 1)
		return -ECHILD;
	*ns = s->ns;
	return 0;
}

static pid_t start_leaktrace(pid_t target, enum attach_path path, const struct pipes *p)
{
	const char *const how = attach_path__name(path);
	char pid_text[16];
	pid_t pid;
	int null;

	snprintf(pid_text, sizeof(pid_text), "%d", target);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	null = open("/dev/null", O_RDWR);
	if (null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 && dup2(p->fd[LOG_WRITE], 2) >= 0)
		execl("/proc/self/exe", "leaktrace", "-p", pid_text, "--attach-path", how, (char *)NULL);
	_exit(127);
}

/* Its one line says that it traces. */
static int wait_tracing(int log)
{
	char text[4096];
	size_t n = 0;
	ssize_t got;

	while (n < sizeof(text) - 1 && !wait_readable(log, TRACING_MS)) {
		got = read(log, text + n, sizeof(text) - 1 - n);
		if (got <= 0)
			return -ECHILD;
		n += (size_t)got;
		text[n] = '\0';
		if (strstr(text, "leaktrace: tracing "))
			return 0;
	}
	return -ETIMEDOUT;
}

static int measure_traced(const struct shared *s, struct pipes *p, pid_t target, enum attach_path path, double *ns)
{
	double alone = 0, traced = 0;
	int err = measure(s, p, &alone);
	pid_t tracer = err ? 0 : start_leaktrace(target, path, p);

	close(p->fd[LOG_WRITE]);
	p->fd[LOG_WRITE] = -1;
	if (err || tracer < 0)
		return err ? err : -EAGAIN;
	err = wait_tracing(p->fd[LOG_READ]);
	if (!err)
		err = measure(s, p, &traced);
	kill(tracer, err ? SIGKILL : SIGINT);
	waitpid(tracer, NULL, 0);
	*ns = traced - alone;
	return err;
}

static void close_pipes(struct pipes *p)
{
	int i;

	for (i = 0; i < N_ENDS; i++)
		cleanup__close(&p->fd[i]);
}

static int run(struct shared *s, struct pipes *p, enum attach_path path, double *ns)
{
	pid_t target;
	int err;

	if (pipe2(p->fd + ASK_READ, O_CLOEXEC) || pipe2(p->fd + ANSWER_READ, O_CLOEXEC) ||
	    pipe2(p->fd + LOG_READ, O_CLOEXEC))
		return -errno;
	target = fork();
	if (!target)
		child(s, p->fd[ASK_READ], p->fd[ANSWER_WRITE]);
	if (target < 0)
		return -errno;
	err = measure_traced(s, p, target, path, ns);
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	return err;
}

int self_trace__run(double *ns, enum attach_path path, struct err *e)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pipes p = {{-1, -1, -1, -1, -1, -1}};
	int err;

	if (s == MAP_FAILED)
		return err__set(e, -errno, "cannot measure it: %s", strerror(errno));
	err = run(s, &p, path, ns);
	close_pipes(&p);
	munmap(s, sizeof(*s));
	return err ? err__set(e, err, "leaktrace could not trace a child of its own: %s", strerror(-err)) : 0;
}
