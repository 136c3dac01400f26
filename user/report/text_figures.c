/* SPDX-License-Identifier: GPL-2.0-only */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "account/snapshot.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "base/units.h"
#include "report/output.h"
#include "report/text_parts.h"

/* Beyond any trace, and small enough for the integers that durations are split into. */
#define MAX_SECONDS 1e12

const char *figure__bytes(char buf[FIGURE_MAX], int64_t bytes)
{
	return units__format_bytes(buf, FIGURE_MAX, (double)bytes);
}

const char *figure__seconds(char buf[FIGURE_MAX], double s)
{
	if (!(s >= 0 && s < MAX_SECONDS))
		snprintf(buf, FIGURE_MAX, "unknown");
	else
		units__format_duration(buf, FIGURE_MAX, s);
	return buf;
}

const char *figure__rate(char buf[FIGURE_MAX], double bytes_per_s)
{
	const char *per = "s";
	char size[32];

	if (!isfinite(bytes_per_s)) {
		snprintf(buf, FIGURE_MAX, "growth unknown");
		return buf;
	}
	/* A slow leak is a leak too: "0 B/s" would deny it. */
	if (fabs(bytes_per_s) < 1) {
		bytes_per_s *= 3600;
		per = "h";
	}
	if (fabs(bytes_per_s) < 0.5) {
		snprintf(buf, FIGURE_MAX, "+0 B/s");
		return buf;
	}
	units__format_bytes(size, sizeof(size), bytes_per_s);
	snprintf(buf, FIGURE_MAX, "%s%s/%s", bytes_per_s > 0 ? "+" : "", size, per);
	return buf;
}

const char *figure__count(char buf[FIGURE_MAX], uint64_t n)
{
	if (n < 1000000)
		snprintf(buf, FIGURE_MAX, "%" PRIu64, n);
	else if (n < 999950000)
		snprintf(buf, FIGURE_MAX, "%.1f M", (double)n / 1e6);
	else
		snprintf(buf, FIGURE_MAX, "%.1f G", (double)n / 1e9);
	return buf;
}

const char *figure__blocks(char buf[FIGURE_MAX], struct amount amount)
{
	char size[FIGURE_MAX];

	snprintf(buf, FIGURE_MAX, "%.24s in %" PRId64 " block%s", figure__bytes(size, amount.bytes), amount.blocks,
		 amount.blocks == 1 ? "" : "s");
	return buf;
}

const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

void text__put_safe(struct text *t, const char *s)
{
	__cleanup_free char *safe = text__safe_dup(s ? s : "?");

	/* A name that is left out for want of memory is better than no report. */
	fputs(safe ? safe : "?", t->to);
}

void text__put_padded(struct text *t, const char *s, size_t columns)
{
	size_t width = output__width(s);

	fputs(s, t->to);
	if (width < columns)
		fprintf(t->to, "%*s", (int)(columns - width), "");
}

void text__put_process(struct text *t, const struct process *p)
{
	text__put_safe(t, p->comm);
	fprintf(t->to, " (pid %d)", (int)p->pid);
}
