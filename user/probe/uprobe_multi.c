/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/uprobe_multi.h"

/* From include/uapi/linux/bpf.h of Linux 6.18; the packaged headers may be older. The values are kernel ABI. */
#define CMD_LINK_CREATE		   28
#define ATTACH_TYPE_UPROBE_MULTI   48
#define ATTACH_TYPE_UPROBE_SESSION 57
#define UPROBE_MULTI_F_RETURN	   1u

struct link_create_uprobe_multi {
	uint32_t prog_fd, target_fd, attach_type, flags;
	struct {
		uint64_t path, offsets, ref_ctr_offsets, cookies;
		uint32_t cnt, flags, pid, pad;
	} uprobe_multi;
};

int uprobe_multi__attach_type(enum attach_path path)
{
	switch (path) {
	case ATTACH_SESSION:
		return ATTACH_TYPE_UPROBE_SESSION;
	case ATTACH_MULTI:
		return ATTACH_TYPE_UPROBE_MULTI;
	default:
		return 0;
	}
}

int uprobe_multi__link(const struct uprobe_multi *m)
{
	struct link_create_uprobe_multi attr = {};
	char path[64];
	long fd;

	/* The link takes a path, and this one names the very file that the target has mapped. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m->file_fd);
	attr.prog_fd = (uint32_t)m->prog_fd;
	attr.attach_type = (uint32_t)uprobe_multi__attach_type(m->path);
	attr.uprobe_multi.path = (uintptr_t)path;
	attr.uprobe_multi.offsets = (uintptr_t)m->offsets;
	attr.uprobe_multi.cookies = (uintptr_t)m->cookies;
	attr.uprobe_multi.cnt = m->n;
	attr.uprobe_multi.flags = m->at_return ? UPROBE_MULTI_F_RETURN : 0;
	attr.uprobe_multi.pid = (uint32_t)m->pid;
	fd = syscall(SYS_bpf, CMD_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : (int)fd;
}
