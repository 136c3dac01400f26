/* SPDX-License-Identifier: GPL-2.0-only */
/* calibrate: what a hit costs on this machine now, measured on functions of our own. */
#pragma once

#include "probe/trial.h"

/* CPU time in nanoseconds, with a program that does nothing; what leaktrace's own does comes on top. */
struct calibration {
	double emulated; /* a hit at an instruction that the kernel emulates */
	double stepped;	 /* at one that it single-steps */
	double watched;	 /* what a call costs more when its return is seen by a return probe */
};

/* CPU time in nanoseconds of one call of fn: the shortest of some batches, as what else the machine does only adds. */
double calibrate__time(trial_function *fn);

/* 0 or negative errno. Takes about 20 ms of calls, and the time the kernel needs to detach. */
int calibrate__run(struct calibration *c, enum attach_path path);
