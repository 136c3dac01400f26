/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trial: probes on functions of our own program, to find out what the kernel can do and what it costs. They do nothing
 * but return, and begin with an instruction of a known kind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/uprobe.h"

typedef void trial_function(void);

trial_function trial__emulated; /* begins with push */
trial_function trial__stepped;	/* begins with an instruction that the kernel single-steps */

/* What the program of a trial does when it is hit. */
enum trial_program {
	TRIAL_COUNTS, /* adds its cookie to the trial's sum */
	TRIAL_EMPTY,
	TRIAL_SKIPS, /* as EMPTY, and the return of this call is not wanted (ATTACH_SESSION) */
};

struct trial {
	enum attach_path path;
	int map_fd, prog_fd, self_fd;
	struct uprobe_links links;
};

/* Load. 0 or negative errno; end with trial__end() in every case. */
int trial__begin(struct trial *t, enum attach_path path, enum trial_program program);

/* Attach to a function, in process pid (us, or a child of ours). 0 or negative errno. */
int trial__attach(struct trial *t, trial_function *fn, pid_t pid, bool at_return, uint64_t cookie);

/* The sum, or 0. */
uint64_t trial__sum(const struct trial *t);

void trial__end(struct trial *t);
