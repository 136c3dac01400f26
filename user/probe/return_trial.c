/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/return_trial.h"
#include "probe/trial.h"

/* arch/x86/include/uapi/asm/prctl.h of Linux 6.6 */
#define NR_ARCH_PRCTL	  158
#define ARCH_SHSTK_ENABLE 0x5001
#define ARCH_SHSTK_SHSTK  1ul

#define CHILD_MS 2000

/* How the child says that it is ready, and that it has lived through it. */
#define CHILD_SURVIVED	  42
#define CHILD_UNSUPPORTED 43

/* Of the system calls that probes are made of, uretprobe (arch/x86/entry/syscalls/syscall_64.tbl). Filters are lists of
 * what is allowed; its range was unused before, so that none lists it. */
#define FIRST_UNKNOWN 335

static int deny_unknown_calls(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_UNKNOWN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof(insns) / sizeof(insns[0]), .filter = insns};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) ? -errno
													     : 0;
}

/* Without libc: a function that was called before there was a shadow stack cannot return once there is one. */
static __attribute__((always_inline)) inline long raw_call(long nr, long a, long b)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return ret;
}

/* In the child. Never returns. */
static __attribute__((noreturn, noinline)) void child(enum return_trial what, int go, int ready)
{
	char c = 0;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* should it die, then without a core file */
	if (what == RETURN_TRIAL_SECCOMP && deny_unknown_calls())
		_exit(CHILD_UNSUPPORTED);
	if (write(ready, &c, 1) != 1 || read(go, &c, 1) != 1)
		_exit(CHILD_UNSUPPORTED);
	if (what == RETURN_TRIAL_SHADOW_STACK && raw_call(NR_ARCH_PRCTL, ARCH_SHSTK_ENABLE, ARCH_SHSTK_SHSTK))
		raw_call(SYS_exit_group, CHILD_UNSUPPORTED, 0);
	trial__emulated();
	raw_call(SYS_exit_group, CHILD_SURVIVED, 0);
	__builtin_unreachable();
}

/* Wait for a byte. */
static int await(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	return poll(&p, 1, CHILD_MS) == 1 && read(fd, &c, 1) == 1 ? 0 : -ECHILD;
}

static int judge(int status, struct err *e)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SURVIVED)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_UNSUPPORTED)
		return err__set(e, -ENOTSUP, "this machine or its kernel does not have it");
	if (WIFSIGNALED(status))
		return err__set(e, -EOWNERDEAD, "a return probe kills such a process (%s)",
				strsignal(WTERMSIG(status)));
	return err__set(e, -ECHILD, "the trial's process ended in an unexpected way (status 0x%x)", status);
}

/* The child ends by itself, or at the latest when its time is up; `done` is closed by its end. */
static int reap(pid_t pid, int done, int *status)
{
	struct pollfd p = {.fd = done, .events = POLLIN};

	if (poll(&p, 1, CHILD_MS) != 1)
		kill(pid, SIGKILL);
	return waitpid(pid, status, 0) == pid ? 0 : -errno;
}

static int run(struct trial *t, enum return_trial what, pid_t pid, int ready, int go, struct err *e)
{
	int status, err = await(ready);

	if (!err)
		err = trial__attach(t, trial__emulated, pid, t->path != ATTACH_SESSION, 1);
	if (!err && write(go, "", 1) != 1)
		err = -errno;
	if (err)
		kill(pid, SIGKILL);
	if (reap(pid, ready, &status))
		return err__set(e, -ECHILD, "the trial's process is lost");
	if (err && what == RETURN_TRIAL_SECCOMP && WIFEXITED(status))
		return err__set(e, -ENOTSUP, "the kernel has no seccomp filters");
	return err ? err__set(e, err, "cannot try it: %s", strerror(-err)) : judge(status, e);
}

static int fork_and_run(struct trial *t, enum return_trial what, struct err *e)
{
	int to_child[2], from_child[2], err;
	pid_t pid;

	if (pipe2(to_child, O_CLOEXEC))
		return err__set(e, -errno, "cannot try it: %s", strerror(errno));
	if (pipe2(from_child, O_CLOEXEC)) {
		err = err__set(e, -errno, "cannot try it: %s", strerror(errno));
		goto close_first;
	}
	pid = fork();
	if (!pid) {
		close(to_child[1]);
		close(from_child[0]);
		child(what, to_child[0], from_child[1]);
	}
	close(from_child[1]);
	err = pid < 0 ? err__set(e, -errno, "cannot try it: %s", strerror(errno))
		      : run(t, what, pid, from_child[0], to_child[1], e);
	close(from_child[0]);
close_first:
	close(to_child[0]);
	close(to_child[1]);
	return err;
}

/* Detaching can take the kernel a tenth of a second. The child is gone, so that is left to our own end. */
static void leave_attached(struct trial *t)
{
	vec__free(&t->links.fds);
	trial__end(t);
}

int return_trial__run(enum return_trial what, enum attach_path path, struct err *e)
{
	struct trial t;
	int err;

	err = trial__begin(&t, path, TRIAL_EMPTY, 0);
	err = err ? err__set(e, err, "cannot try it: %s", strerror(-err)) : fork_and_run(&t, what, e);
	leave_attached(&t);
	return err;
}
