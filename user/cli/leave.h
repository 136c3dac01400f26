/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * leave: when to take the probes away. A debugger that came while a process was traced has set a breakpoint on the same
 * function of the loader as leaktrace, and taken leaktrace's for the program's own instruction: when it leaves last, it
 * puts that back, and the next dlopen() kills the process.
 */
#pragma once

#include "cli/session.h"

/* Wait until such debuggers have left, or a signal comes that `signals` (a signalfd) can be read from. */
void leave__wait(struct session *s, int signals);
