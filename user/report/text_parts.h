/* SPDX-License-Identifier: GPL-2.0-only */
/* text_parts: what the parts of the text report share. Private to report. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "report/pick.h"
#include "report/report.h"

/* Between two facts on one line. */
#define GAP "   "

struct text {
	FILE *to; /* memory: lines are cut and written when all are there */
	const struct report *r;
	const struct report_options *o;
	bool utf8;
	struct block_index blocks;
	unsigned int listed; /* sites shown so far */
	struct {
		unsigned int sites;
		struct amount live;
	} hidden;
};

/* Figures: each formats into the buffer and returns it. */
#define FIGURE_MAX 64
const char *figure__bytes(char buf[FIGURE_MAX], int64_t bytes);
const char *figure__seconds(char buf[FIGURE_MAX], double s);		/* "unknown" when it is not a time */
const char *figure__rate(char buf[FIGURE_MAX], double bytes_per_s);	/* "+1.1 MiB/s", "growth unknown" */
const char *figure__count(char buf[FIGURE_MAX], uint64_t n);		/* "541002", "1.2 M" */
const char *figure__blocks(char buf[FIGURE_MAX], struct amount amount); /* "66.1 MiB in 541002 blocks" */

/* "s" unless n is one. */
const char *plural(uint64_t n);

/* Text from outside, made safe to show; NULL shows as "?". */
void text__put_safe(struct text *t, const char *s);

/* Text padded with blanks to so many columns. */
void text__put_padded(struct text *t, const char *s, size_t columns);

/* "comm (pid 42)" */
void text__put_process(struct text *t, const struct process *p);

/* The parts of the report, in order. */
void text_header__put(struct text *t);
void text_losses__put(struct text *t);
void text_process__put_all(struct text *t);
void text_site__put_all(struct text *t);
void text_frames__put(struct text *t, const struct site *s);
void text_closing__put(struct text *t);
