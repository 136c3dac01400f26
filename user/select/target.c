/* SPDX-License-Identifier: GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "select/process_info.h"
#include "select/target.h"
#include "select/untrusted_elf.h"

static int add_pid(struct targets *t, pid_t pid)
{
	struct target *at;

	vec__each (&t->list, at) {
		if (at->pid == pid)
			return 0;
	}
	at = vec__add(&t->list);
	if (!at)
		return -ENOMEM;
	at->pid = pid;
	at->pidfd = -1;
	return 0;
}

int targets__parse(struct targets *t, const char *text, struct err *e)
{
	__cleanup_free char *copy = strdup(text);
	char *rest = copy, *part;
	uint64_t pid;
	int err;

	if (!copy)
		return err__set(e, -ENOMEM, "out of memory");
	while ((part = strsep(&rest, ","))) {
		err = units__parse_uint(part, 1, INT_MAX, &pid);
		if (err == -ERANGE)
			return err__set(e, -EINVAL, "-p %s: '%s' is out of range for a process id (1 to %d)", text,
					part, INT_MAX);
		if (err)
			return err__set(e, -EINVAL, "-p %s: '%s' is not a process id; give numbers, as in -p 1234,5678",
					text, part);
		if (add_pid(t, (pid_t)pid))
			return err__set(e, -ENOMEM, "out of memory");
	}
	return 0;
}

/* A Go binary carries the section .go.buildinfo (Go 1.13 on, also when stripped) or a note of its build id. */
static bool is_go(Elf *elf)
{
	GElf_Shdr sh;

	return untrusted_elf__section(elf, ".go.buildinfo", &sh) ||
	       untrusted_elf__section(elf, ".note.go.buildid", &sh);
}

static int check_program(pid_t pid, struct err *e)
{
	__cleanup_close int fd = -1;
	char path[64];
	int err = 0;
	Elf *elf;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err__set(e, -ESRCH, "process %d ended while it was being looked at; start it again and retry",
				pid);
	if (fd < 0)
		return err__set(
			e, -errno,
			"not permitted to look at process %d (%s): CAP_SYS_PTRACE is missing; run as root (sudo)", pid,
			strerror(errno));
	elf = untrusted_elf__begin(fd);
	if (elf && gelf_getclass(elf) == ELFCLASS32)
		err = err__set(
			e, -ENOTSUP,
			"process %d is a 32-bit program; only 64-bit programs can be traced: trace its 64-bit build",
			pid);
	else if (elf && is_go(elf))
		err = err__set(
			e, -ENOTSUP,
			"process %d is a Go program, whose heap is not malloc's and cannot be traced yet; use its own "
			"heap profile (net/http/pprof) meanwhile",
			pid);
	elf_end(elf);
	return err;
}

static int check_kind(const struct process_info *info, struct err *e)
{
	if (info->tgid != info->pid)
		return err__set(e, -EINVAL, "%d is a thread of process %d; trace the whole process: -p %d", info->pid,
				info->tgid, info->tgid);
	if (info->kernel_thread)
		return err__set(e, -EINVAL, "%d (%s) is a kernel thread; it has no heap: give the pid of a program",
				info->pid, info->comm);
	if (info->state == 'Z' && info->n_threads > 1)
		return err__set(
			e, -ENOTSUP,
			"the first thread of process %d (%s) has ended, and the kernel probes a process by its first "
			"thread; restart it, or trace it from its start: leaktrace -- COMMAND",
			info->pid, info->comm);
	if (info->state == 'Z' || info->state == 'X')
		return err__set(e, -ESRCH,
				"%d (%s) is a zombie: it has ended and waits for its parent; give the pid of a program "
				"that runs",
				info->pid, info->comm);
	return 0;
}

int targets__check(struct target *t, struct err *e)
{
	struct process_info info;
	int err;

	err = process_info__read(t->pid, &info);
	if (err == -ESRCH)
		return err__set(e, err, "no process %d: it may have ended; `pgrep -l NAME` finds the pid of a program",
				t->pid);
	if (err)
		return err__set(e, err, "cannot read /proc/%d: %s; run as root (sudo)", t->pid, strerror(-err));
	err = check_kind(&info, e);
	if (err)
		return err;
	err = check_program(t->pid, e);
	if (err)
		return err;
	t->start_ticks = info.start_ticks;
	t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	return 0;
}

int target__ended(pid_t pid, struct err *e)
{
	return err__set(e, -ESRCH,
			"process %d ended while it was being attached to; if it is started anew, give its new pid",
			pid);
}

void targets__free(struct targets *t)
{
	struct target *at;

	vec__each (&t->list, at) {
		if (at->pidfd >= 0)
			close(at->pidfd);
	}
	vec__free(&t->list);
}
