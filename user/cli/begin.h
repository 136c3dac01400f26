/* SPDX-License-Identifier: GPL-2.0-only */
/* begin: a session's stages made, in the order of the data flow, and its targets attached to. */
#pragma once

#include "cli/session.h"

/*
 * Check the processes of s->targets, or start the command of s->options and leave it stopped; load the BPF code;
 * attach. Negative errno with a sentence on failure. What was made so far is session__end()'s.
 */
int begin__pids(struct session *s, struct err *e);
int begin__command(struct session *s, struct err *e);
