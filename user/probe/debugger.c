/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe/debugger.h"
#include "select/process_info.h"

#define BREAKPOINT 0xcc

/* Is there a breakpoint in the process's memory where the file has none? */
static bool has_breakpoint(pid_t pid, const struct mappings *m, const struct module *module, uint64_t offset)
{
	const struct mapping *at;

	vec__each (&m->list, at) {
		unsigned char there = 0, wanted = 0;
		struct iovec local = {.iov_base = &there, .iov_len = 1}, remote = {.iov_len = 1};

		if (at->module != module || offset < at->offset || offset - at->offset >= at->end - at->start)
			continue;
		remote.iov_base = (void *)(uintptr_t)(at->start + (offset - at->offset));
		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 &&
		    pread(module->fd, &wanted, 1, (off_t)offset) == 1 && there == BREAKPOINT && wanted != BREAKPOINT)
			return true;
	}
	return false;
}

pid_t debugger__of(pid_t pid)
{
	pid_t by = process_info__debugger(pid);

	return by == getpid() ? 0 : by;
}

#define LOOKS	50
#define LOOK_US 20000

/* Stopped again and again, as by strace, is not stopped for good. */
static bool stays_stopped(pid_t pid)
{
	struct process_info info;
	int i;

	for (i = 0; i < LOOKS; i++) {
		if (process_info__read(pid, &info) || info.state != 't')
			return false;
		usleep(LOOK_US);
	}
	return true;
}

int debugger__check(pid_t pid, const struct mappings *m, const struct plan *p, struct err *e)
{
	pid_t by = debugger__of(pid);
	const struct planned_fn *f;

	if (!by)
		return 0;
	if (stays_stopped(pid))
		return err__set(
			e, -EBUSY,
			"process %d is stopped by its debugger, process %d, and its breakpoints cannot be seen now; "
			"let it run, or leave the debugger, and try again",
			pid, by);
	vec__each (&p->fns, f) {
		if (!has_breakpoint(pid, m, p->module, f->offset))
			continue;
		return err__set(e, -EBUSY,
				"process %d is debugged by process %d and has a breakpoint at %s of %s, where a probe "
				"would be; delete it, or leave the debugger, and try again",
				pid, by, f->name, module__name(p->module));
	}
	return 0;
}
