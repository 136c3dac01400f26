/* SPDX-License-Identifier: GPL-2.0-only */
/* reporter: from the collector's numbers to a written report, through account, judge and report. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "cli/sink.h"
#include "cli/session.h"

/*
 * Take a reading. With end_window the running window ends. The snapshot belongs to the session's accountant; it carries
 * what was hooked in each process. NULL when out of memory.
 */
struct snapshot *reporter__read(struct session *s, bool end_window);

/* Judge a snapshot and write it. end_reason: NULL for a periodic report. Negative errno with a sentence. */
int reporter__write(struct session *s, struct snapshot *snap, struct sink *out, const char *end_reason, struct err *e);
