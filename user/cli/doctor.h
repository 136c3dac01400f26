/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor: the command that says what this host can do, and what tracing a process would do to it. */
#pragma once

#include "cli/options.h"

/* Returns the exit status of the program: EXIT_TRACED when everything asked for can be traced. */
int doctor__run(const struct options *o);
