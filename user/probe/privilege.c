/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "probe/privilege.h"

/* linux/capability.h; libcap's header may be older than the two of Linux 5.8. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

static bool has(cap_t caps, cap_value_t cap)
{
	cap_flag_value_t value = CAP_CLEAR;

	return !cap_get_flag(caps, cap, CAP_EFFECTIVE, &value) && value == CAP_SET;
}

/*
 * CAP_BPF and CAP_PERFMON load tracing programs, or CAP_SYS_ADMIN does both (capabilities(7)). Perf
 * uprobes ask for CAP_SYS_ADMIN in any case, see below.
 * CAP_SYS_PTRACE opens another user's /proc/PID/maps and exe.
 */
static int check_caps(cap_t caps, struct err *e)
{
	char missing[128] = "";

	if (!has(caps, CAP_SYS_ADMIN)) {
		if (!has(caps, (cap_value_t)CAP_BPF))
			strcat(missing, " CAP_BPF");
		if (!has(caps, (cap_value_t)CAP_PERFMON))
			strcat(missing, " CAP_PERFMON");
	}
	if (!has(caps, CAP_SYS_PTRACE))
		strcat(missing, " CAP_SYS_PTRACE");
	if (!missing[0])
		return 0;
	return err__set(e, -EPERM, "not permitted to trace: missing%s%s", missing,
			geteuid() ? "; run as root (sudo leaktrace ...)"
				  : "; root lacks it here (a container?): grant it, or run on the host");
}

int privilege__check_capabilities(struct err *e)
{
	cap_t caps = cap_get_proc();
	int err;

	err = caps ? check_caps(caps, e) : err__set(e, -errno, "cannot read our own capabilities: %s", strerror(errno));
	if (caps)
		cap_free(caps);
	return err;
}

int privilege__check(struct err *e)
{
	int err = privilege__check_capabilities(e);
	struct utsname uts;

	if (err)
		return err;
	if (access("/sys/kernel/btf/vmlinux", R_OK)) {
		uname(&uts);
		return err__set(
			e, -ENOTSUP,
			"kernel %s has no BTF (/sys/kernel/btf/vmlinux); it needs CONFIG_DEBUG_INFO_BTF=y, as the "
			"kernels of Debian 11, Ubuntu 20.10, Fedora 31 and later have it",
			uts.release);
	}
	return 0;
}

/*
 * perf_uprobe_event_init() asks for CAP_SYS_ADMIN (kernel/events/core.c), uprobe_multi links for CAP_PERFMON only
 * (kernel/trace/bpf_trace.c).
 */
int privilege__check_path(enum attach_path path, struct err *e)
{
	cap_t caps = path == ATTACH_PERF ? cap_get_proc() : NULL;
	int err = 0;

	if (caps && !has(caps, CAP_SYS_ADMIN))
		err = err__set(
			e, -EPERM,
			"not permitted to trace: missing CAP_SYS_ADMIN, which perf uprobes need (kernels from 6.6 "
			"on have a way without); run as root (sudo leaktrace ...)");
	if (caps)
		cap_free(caps);
	return err;
}
