/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trial: small BPF programs, and functions of our own program to probe, to find out what the kernel can do, what it
 * costs, and how often functions of a target are called.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/uprobe.h"

typedef void trial_function(void);

/* They do nothing but return. */
trial_function trial__emulated; /* begins with push */
trial_function trial__stepped;	/* begins with an instruction that the kernel single-steps */

/* What the program of a trial does when it is hit. */
enum trial_program {
	TRIAL_COUNTS,	      /* counts hits by cookie */
	TRIAL_COUNTS_ENTRIES, /* and with a session not those of returns */
	TRIAL_EMPTY,
	TRIAL_EMPTY_ENTRIES,
};

struct trial {
	enum attach_path path;
	int map_fd, prog_fd, self_fd;
	struct uprobe_links links;
};

/* Load, with room for cookies below n. 0 or negative errno; end with trial__end() in every case. */
int trial__begin(struct trial *t, enum attach_path path, enum trial_program program, uint32_t n);

/* Attach to a function, in process pid (us, or a child of ours). 0 or negative errno. */
int trial__attach(struct trial *t, trial_function *fn, pid_t pid, bool at_return, uint64_t cookie);

/* Hits of the probe with this cookie, so far. */
uint64_t trial__hits(const struct trial *t, uint32_t cookie);

void trial__end(struct trial *t);
