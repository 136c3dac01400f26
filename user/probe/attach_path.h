/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * attach_path: the ways in which a kernel lets us attach, best first, each found out by doing it.
 *
 * A program for an attach type that the kernel does not know loads all the same before 6.x, and 6.6 to 6.10 had a
 * uprobe_multi whose pid filter missed all threads but one (fixed by 46ba0e49b642 "bpf: fix multi-uprobe PID filtering
 * logic"). So each way is tried on a function of our own, called from a second thread, and the hits are counted.
 */
#pragma once

#include "base/err.h"
#include "probe/uprobe.h"

/* "session", "multi", "perf" */
const char *attach_path__name(enum attach_path path);

/* ATTACH_NONE when the name is none of them. */
enum attach_path attach_path__parse(const char *name);

/* 0 when it works here, else a negative errno and a sentence that says why not. */
int attach_path__try(enum attach_path path, struct err *why);

/*
 * The best path that works here; with `forced` other than ATTACH_NONE only that one is tried. ATTACH_NONE, with a
 * sentence, when none works. Why a better one was passed over is logged at -v.
 */
enum attach_path attach_path__choose(enum attach_path forced, struct err *e);
