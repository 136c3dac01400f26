/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * debugger: a target that is being debugged. A debugger's breakpoint and a probe are the same byte. Set on top of one
 * another neither knows of the other: who is removed first takes the other away, and who is removed last puts a
 * breakpoint back that nobody waits for, which kills the process.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "probe/plan.h"
#include "select/mappings.h"

/* The process that debugs another, 0 if none does. A command that we have launched is stopped by ourselves: 0. */
pid_t debugger__of(pid_t pid);

/*
 * 0: a plan's probes can be set in a process; -EBUSY with a sentence: it is debugged, and has a breakpoint, or the
 * probe of another tracer, which looks the same, at one of the planned instructions; or it is stopped by its debugger,
 * who has taken all breakpoints out of its memory then. Waits up to a second for it to run.
 */
int debugger__check(pid_t pid, const struct mappings *m, const struct plan *p, struct err *e);
