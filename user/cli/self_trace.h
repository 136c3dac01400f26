/* SPDX-License-Identifier: GPL-2.0-only */
/* self_trace: what tracing costs really, stacks, maps and all: leaktrace on a child of ours that does nothing else. */
#pragma once

#include "base/err.h"
#include "probe/uprobe.h"

/* Frames of the child's call stack above the allocator. */
#define SELF_TRACE_FRAMES 10

/*
 * Nanoseconds of CPU time that a malloc() of 64 bytes and its free() take the child more when they are traced. Negative
 * errno with a sentence when it cannot be measured. Takes about a second.
 */
int self_trace__run(double *ns, enum attach_path path, struct err *e);
