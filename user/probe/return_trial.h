/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * return_trial: would a return probe kill a target? Found out on a child of ours.
 *
 * Since 6.11 a probed function returns by way of a system call that the kernel makes the target do (ff474a78cef5
 * "uprobe: Add uretprobe syscall to speed up return probe"), which a seccomp filter of a container may deny; then the
 * target dies. 6.14, and stable kernels of then, let it pass (cf6cb56ef244 "seccomp: passthrough uretprobe systemcall
 * without filtering"). And before 6.11 a return probe writes the stack, but not the shadow stack of a process that has
 * one (488af8ea7131 "x86/shstk: Make return uprobe work with shadow stack").
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "probe/uprobe.h"

enum return_trial {
	RETURN_TRIAL_SECCOMP,	   /* a filter that denies what it does not know */
	RETURN_TRIAL_SHADOW_STACK, /* a shadow stack */
};

/*
 * 0: it survives. -EOWNERDEAD: it dies. -ENOTSUP: this machine or kernel has nothing of that kind, so no target has.
 * Another negative errno: it could not be tried. With a sentence unless 0. Takes some milliseconds; a child that hangs
 * is killed after two seconds.
 */
int return_trial__run(enum return_trial what, enum attach_path path, struct err *e);
