/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * launch: a command traced from its first instruction.
 *
 * It is stopped (ptrace) at its exec, then at each system call of its loader, so that probes are placed after the
 * allocator was mapped and before anything in it has run. When the loader is done it is let go for good.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct launch {
	pid_t pid;
	bool stopped; /* ours to let go */
};

/* Start argv, stopped after its exec. Negative errno with a sentence: it cannot be run. */
int launch__start(struct launch *l, char **argv, struct err *e);

/* Where its loader lies; 0: it has none, or that is not known. */
uint64_t launch__loader(const struct launch *l);

/*
 * Let its loader run until it has mapped more code. Returns 1: it has, and is stopped; 0: its loader is done, and it is
 * stopped before its own first system call; -ESRCH: it has ended.
 */
int launch__step(struct launch *l);

/* Let it go. */
void launch__release(struct launch *l);
