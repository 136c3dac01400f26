/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uprobe_multi: one link for many probes of a file, by bpf(2) itself: the packaged libbpf and UAPI headers may be older
 * than the kernel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/attach_path.h"

struct uprobe_multi {
	int prog_fd;
	enum attach_path path; /* ATTACH_SESSION or ATTACH_MULTI */
	bool at_return;	       /* ATTACH_MULTI only */
	int file_fd;	       /* of the file to probe */
	const uint64_t *offsets, *cookies;
	uint32_t n;
	pid_t pid;
};

/* The expected_attach_type a program needs for a path; 0 for ATTACH_PERF, which needs none. */
int uprobe_multi__attach_type(enum attach_path path);

/* Returns the file descriptor of the link, which detaches when closed; or a negative errno. */
int uprobe_multi__link(const struct uprobe_multi *m);
