/* SPDX-License-Identifier: GPL-2.0-only */
/* sink: where reports go: a file, a pipe, or a terminal that is redrawn in place. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "cli/options.h"
#include "collect/collector.h"
#include "report/doctor.h"
#include "report/report.h"

struct sink {
	FILE *file;
	bool is_terminal; /* text on a terminal: periodic reports redraw it */
	bool drawn;
	uint64_t opened_ns; /* monotonic */
	const struct options *options;
};

/* Open before anything is attached, so that an unwritable file costs nothing. Negative errno with a sentence. */
int sink__open(struct sink *out, const struct options *o, struct err *e);

/* Write one report. A final one is written whole, below nothing. Negative errno with a sentence. */
int sink__write(struct sink *out, const struct report *r, bool final, struct err *e);

int sink__write_doctor(struct sink *out, const struct doctor_report *r, struct err *e);

/* Write the line of one event (-t), buffered until the next report or sink__flush(). */
void sink__event(struct sink *out, const struct collected_event *ev);

/* What was written so far is to be seen now. Negative errno with a sentence. */
int sink__flush(struct sink *out, struct err *e);

/* Flush and close; what the disk did not take is an error now at the latest. */
int sink__close(struct sink *out, struct err *e);
