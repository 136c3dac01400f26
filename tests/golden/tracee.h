/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tracee: a process under ptrace, with the processor's own breakpoints on up to four functions in all its threads.
 *
 * A breakpoint in a debug register stops before the instruction runs, so it sees each call first and once also where a
 * uprobe has put an int3 at the same address. The kernel sets the resume flag for it: going on needs no care.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/vec.h"

#define MAX_BREAKPOINTS 4

struct thread {
	pid_t tid;
	/* The last call that was stopped at. */
	uint64_t sp, ret;
	unsigned int function;
	bool jumps; /* and may end in a jump to another function, with the same stack pointer */
};

struct tracee {
	pid_t pid;
	int status; /* of wait(), once it has ended */
	bool execed;
	bool armed; /* threads have the breakpoints, and new ones get them */
	unsigned int n;
	uint64_t breakpoints[MAX_BREAKPOINTS];
	VEC(struct thread) threads;
};

/* Do the processor's breakpoints fire on this machine? Those of some virtual machines can be set, and never do. */
bool tracee__breakpoints_work(void);
/*
 * Start a command without address randomisation and let it run to its entry point: the libraries that it is linked to
 * are mapped then. Its stdin is `input`, its stdout is ours for errors. Complains and returns -1 when it cannot.
 */
int tracee__start(struct tracee *t, char **command, const char *input);
/* Set, or take away, the breakpoints of a stopped thread. */
void tracee__arm(const struct tracee *t, pid_t tid, bool on);
/*
 * Go on until a thread stops at a breakpoint: its index in t->threads, and its registers; -1: the process is gone. The
 * thread goes on by tracee__go_on().
 */
int tracee__next(struct tracee *t, struct user_regs_struct *regs);
void tracee__go_on(pid_t tid);
/* Let go of it, and wait for its end. */
void tracee__release(struct tracee *t);
