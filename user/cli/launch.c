/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/launch.h"

static void run_child(char **argv, int error_fd)
{
	sigset_t none;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		execvp(argv[0], argv);
	err = errno;
	if (write(error_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static const char *remedy(int err)
{
	switch (err) {
	case ENOENT:
		return "check its name, and PATH if it has no slash";
	case EACCES:
		return "choose a file with execute permission";
	default:
		return "try it without leaktrace";
	}
}

int launch__start(struct launch *l, char **argv, struct err *e)
{
	__cleanup_close int read_end = -1, write_end = -1;
	int fds[2], status, child_errno = 0;

	if (pipe2(fds, O_CLOEXEC))
		return err__set(e, -errno, "cannot start a command: %s", strerror(errno));
	read_end = fds[0];
	write_end = fds[1];
	l->pid = fork();
	if (l->pid < 0)
		return err__set(e, -errno, "cannot start a command: %s", strerror(errno));
	if (!l->pid)
		run_child(argv, write_end);
	close(steal_fd(&write_end));
	if (read(read_end, &child_errno, sizeof(child_errno)) == sizeof(child_errno)) {
		waitpid(l->pid, &status, 0);
		return err__set(e, -child_errno, "cannot run '%s': %s; %s", argv[0], strerror(child_errno),
				remedy(child_errno));
	}
	if (waitpid(l->pid, &status, 0) < 0 || !WIFSTOPPED(status))
		return err__set(e, -ECHILD, "'%s' ended before it could be traced; try it without leaktrace", argv[0]);
	/* If we die, it must die rather than stay stopped for ever; after the release nothing ties it to us. */
	ptrace(PTRACE_SETOPTIONS, l->pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	l->stopped = true;
	return 0;
}

/*
 * Is it the loader's code that runs at an address? Only that does before the program's entry; but where some tracer has
 * a return probe in the loader, it returns by way of the kernel's own page, and that makes a system call.
 */
static bool is_in_loader(pid_t pid, uint64_t address, uint64_t base)
{
	__cleanup_fclose FILE *f = NULL;
	uint64_t start, end;
	char path[64], line[4300], file[4200], loader[4200] = "", at[4200] = "";

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		file[0] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %4199[^\n]", &start, &end, file) < 2)
			continue;
		if (base >= start && base < end)
			strcpy(loader, file);
		if (address >= start && address < end)
			strcpy(at, file);
	}
	return loader[0] && (!strcmp(loader, at) || !strcmp(at, "[uprobes]"));
}

/* AT_BASE of the auxiliary vector (getauxval(3)). */
uint64_t launch__loader(const struct launch *l)
{
	__cleanup_close int fd = -1;
	uint64_t entry[2];
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/auxv", l->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && read(fd, entry, sizeof(entry)) == sizeof(entry)) {
		if (entry[0] == 7 /* AT_BASE */)
			return entry[1];
	}
	return 0;
}

#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */

/* Go on to the next stop, with a signal to deliver or 0. Returns the stop's signal, or -ESRCH. */
static int next_stop(struct launch *l, int sig)
{
	int status;

	if (ptrace(PTRACE_SYSCALL, l->pid, NULL, (void *)(intptr_t)sig) || waitpid(l->pid, &status, 0) < 0 ||
	    !WIFSTOPPED(status)) {
		l->stopped = false;
		return -ESRCH;
	}
	return WSTOPSIG(status);
}

int launch__step(struct launch *l)
{
	struct user_regs_struct regs;
	uint64_t base = launch__loader(l);
	int stop, sig = 0;

	if (!base)
		return 0;
	for (;;) {
		stop = next_stop(l, sig);
		if (stop < 0)
			return stop;
		/* A signal of its own is passed on; the trap of an exec is ours. */
		sig = stop == SYSCALL_STOP || stop == SIGTRAP ? 0 : stop;
		if (stop != SYSCALL_STOP || ptrace(PTRACE_GETREGS, l->pid, NULL, &regs))
			continue;
		if (!is_in_loader(l->pid, regs.rip, base))
			return 0;
		/* Stopped at its entry or its exit: looking twice does no harm. */
		if (regs.orig_rax == SYS_mmap && regs.rdx & PROT_EXEC)
			return 1;
	}
}

void launch__release(struct launch *l)
{
	if (!l->stopped)
		return;
	ptrace(PTRACE_DETACH, l->pid, NULL, NULL);
	l->stopped = false;
}
