/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uprobe: probes in a file by each of the ways that kernels have, by bpf(2) and perf_event_open(2) themselves: the
 * packaged libbpf and UAPI headers may be older than the kernel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

/* Best first. */
enum attach_path { ATTACH_SESSION, ATTACH_MULTI, ATTACH_PERF, ATTACH_NONE };

struct uprobe {
	int prog_fd;
	enum attach_path path;
	bool at_return; /* not ATTACH_SESSION, which decides at each entry */
	int file_fd;	/* of the file to probe */
	const uint64_t *offsets, *cookies;
	uint32_t n;
	pid_t pid;
};

/* Lists for the above, as they are put together. */
struct uprobe_places {
	VEC(uint64_t) offsets;
	VEC(uint64_t) cookies;
};

/* 0 or -ENOMEM. */
int uprobe_places__add(struct uprobe_places *p, uint64_t offset, uint64_t cookie);
void uprobe_places__free(struct uprobe_places *p);

/* File descriptors; what they attach is detached when they are closed. */
struct uprobe_links {
	VEC(int) fds;
};

/* The expected_attach_type a program needs for a path; 0 for ATTACH_PERF, which needs none. */
int uprobe__attach_type(enum attach_path path);

/*
 * Attach a program at all the offsets; the links are added to the list. Negative errno: what was attached by then is in
 * the list.
 */
int uprobe__attach(const struct uprobe *u, struct uprobe_links *links);

/* Take those of another list, too: what is closed together is detached faster. When out of memory, some stay there. */
void uprobe_links__move(struct uprobe_links *links, struct uprobe_links *from);

/* Detach. */
void uprobe_links__close(struct uprobe_links *links);
