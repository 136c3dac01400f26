/* SPDX-License-Identifier: GPL-2.0-only */
/* target: the processes that the user asked for, checked before anything is attached to them. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/vec.h"

struct target {
	pid_t pid;
	uint64_t start_ticks; /* identity together with pid */
	int pidfd;	      /* readable once it has ended; -1 when the kernel has none to give */
};

struct targets {
	VEC(struct target) list;
};

/* Parse "PID[,PID…]". Duplicates are dropped. -EINVAL with a sentence when a part is no pid. */
int targets__parse(struct targets *t, const char *text, struct err *e);

/*
 * Check a process and add it: alive, a process and not a thread, not a kernel thread or zombie, 64-bit, not Go, and
 * readable for us. Negative errno with a sentence that names the next step.
 */
int targets__check(struct target *t, struct err *e);

/* -ESRCH with the sentence for one that has ended since it was checked. */
int target__ended(pid_t pid, struct err *e);

void targets__free(struct targets *t);
