/* SPDX-License-Identifier: GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tracee.h"

static void poke_debug(pid_t tid, int number, uint64_t value)
{
	if (ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, u_debugreg[number]), value))
		fprintf(stderr, "golden: debug register %d of thread %d: %s\n", number, tid, strerror(errno));
}

void tracee__arm(const struct tracee *t, pid_t tid, bool on)
{
	uint64_t control = 0;

	poke_debug(tid, 7, 0);
	for (unsigned int i = 0; on && i < t->n; i++) {
		poke_debug(tid, (int)i, t->breakpoints[i]);
		control |= 1ull << 2 * i; /* local enable; type and length 0: execution */
	}
	if (on)
		poke_debug(tid, 7, control);
}

static uint64_t entry_of(pid_t pid)
{
	__cleanup_close int fd = -1;
	uint64_t pair[2];
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (read(fd, pair, sizeof(pair)) == sizeof(pair)) {
		if (pair[0] == AT_ENTRY)
			return pair[1];
	}
	return 0;
}

static void child(char **command, const char *input)
{
	int fd = open(input, O_RDONLY);

	if (fd >= 0 && dup2(fd, 0) == 0 && dup2(2, 1) == 1 && personality(ADDR_NO_RANDOMIZE) >= 0 &&
	    !ptrace(PTRACE_TRACEME, 0, 0, 0))
		execvp(command[0], command);
	fprintf(stderr, "golden: %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

static int complain(const char *what, int status)
{
	fprintf(stderr, "golden: %s (status %#x)\n", what, status);
	return -1;
}

static __attribute__((noinline)) void stopped_at(void)
{
	__asm__ volatile("");
}

bool tracee__breakpoints_work(void)
{
	struct tracee t = {.n = 1, .breakpoints[0] = (uintptr_t)stopped_at};
	int status = 0;

	t.pid = fork();
	if (!t.pid) {
		if (!ptrace(PTRACE_TRACEME, 0, 0, 0))
			raise(SIGSTOP);
		stopped_at();
		_exit(0);
	}
	if (t.pid < 0 || waitpid(t.pid, &status, 0) != t.pid || !WIFSTOPPED(status))
		return false;
	tracee__arm(&t, t.pid, true);
	ptrace(PTRACE_CONT, t.pid, 0, 0);
	if (waitpid(t.pid, &status, 0) != t.pid || !WIFSTOPPED(status))
		return false;
	kill(t.pid, SIGKILL);
	waitpid(t.pid, &status, 0);
	return true;
}

static int run_to_entry(struct tracee *t)
{
	struct user_regs_struct regs;
	int status;

	t->breakpoints[0] = entry_of(t->pid);
	t->n = 1;
	tracee__arm(t, t->pid, true);
	if (ptrace(PTRACE_CONT, t->pid, 0, 0) || waitpid(t->pid, &status, 0) != t->pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_GETREGS, t->pid, 0, &regs) || regs.rip != t->breakpoints[0])
		return complain("the program does not reach its entry point", status);
	tracee__arm(t, t->pid, false);
	t->n = 0;
	return 0;
}

int tracee__start(struct tracee *t, char **command, const char *input)
{
	struct thread *first = vec__add(&t->threads);
	int status;

	t->pid = fork();
	if (t->pid < 0 || !first)
		return complain("cannot fork", 0);
	if (!t->pid)
		child(command, input);
	first->tid = t->pid;
	if (waitpid(t->pid, &status, 0) != t->pid || !WIFSTOPPED(status))
		return complain("the program does not start", status);
	if (ptrace(PTRACE_SETOPTIONS, t->pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL))
		return complain("cannot trace it", status);
	return run_to_entry(t);
}

static int find(const struct tracee *t, pid_t tid)
{
	for (size_t i = 0; i < t->threads.n; i++) {
		if (t->threads.at[i].tid == tid)
			return (int)i;
	}
	return -1;
}

static void gone(struct tracee *t, pid_t tid, int status)
{
	int i = find(t, tid);

	if (i >= 0)
		t->threads.at[i] = t->threads.at[--t->threads.n];
	if (tid == t->pid)
		t->status = status;
}

/* A thread that was not seen before waits with SIGSTOP, which is not the program's. */
static void begin(struct tracee *t, pid_t tid)
{
	struct thread *thread = vec__add(&t->threads);

	if (!thread)
		abort();
	thread->tid = tid;
	if (t->armed)
		tracee__arm(t, tid, true);
	tracee__go_on(tid);
}

static bool at_breakpoint(const struct tracee *t, const struct user_regs_struct *regs)
{
	for (unsigned int i = 0; i < t->n; i++) {
		if (regs->rip == t->breakpoints[i])
			return true;
	}
	return false;
}

int tracee__next(struct tracee *t, struct user_regs_struct *regs)
{
	int status, i;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			gone(t, tid, status);
			if (tid == t->pid)
				return -1;
			continue;
		}
		i = find(t, tid);
		if (i < 0) {
			begin(t, tid);
			continue;
		}
		if (status >> 16 == PTRACE_EVENT_EXEC)
			t->execed = true;
		if (status >> 16) {
			tracee__go_on(tid);
			continue;
		}
		if (WSTOPSIG(status) == SIGTRAP && !ptrace(PTRACE_GETREGS, tid, 0, regs) && at_breakpoint(t, regs))
			return i;
		ptrace(PTRACE_CONT, tid, 0, WSTOPSIG(status));
	}
	return -1;
}

void tracee__go_on(pid_t tid)
{
	ptrace(PTRACE_CONT, tid, 0, 0);
}

void tracee__release(struct tracee *t)
{
	ptrace(PTRACE_DETACH, t->pid, 0, 0);
	waitpid(t->pid, &t->status, 0);
}
