/* SPDX-License-Identifier: GPL-2.0-only */
/* trace: the command that traces: attach, report at each window, report at the end. */
#pragma once

#include "cli/options.h"

/* Returns the exit status of the program. */
int trace__run(const struct options *o);
