/* SPDX-License-Identifier: GPL-2.0-only */
/* report: a judged snapshot as text for people or JSON for programs. Every format reads the same struct report. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct snapshot;
struct judgement;
struct symbolizer;
struct module;

/* Outstanding blocks of a site, listed with -a. */
struct block {
	uint64_t site_id, address, size;
	double age_s; /* upper bound */
};

struct report {
	const struct snapshot *snap;
	const struct judgement *judgement;
	struct symbolizer *symbolizer; /* names are looked up when a renderer asks for them, and cached */
	const char *version, *host, *kernel;
	const struct block *blocks; /* -a: every outstanding block, else NULL */
	uint64_t n_blocks;
};

struct report_options {
	unsigned int top;     /* most sites in text (default 10); in JSON 0 = all */
	double min_age_s;     /* only what is older (-o); 0: everything */
	bool show_addresses;  /* -a */
	bool quiet;	      /* -q: leave out what did not lose, grow or fail */
	unsigned int columns; /* width to cut lines to; 0: do not cut */
};

/* Both return 0 or a negative errno from the stream (EPIPE, ENOSPC, …), after flushing it. */
int report_text__write(FILE *out, const struct report *r, const struct report_options *o);

/* One document leaktrace.report/1 and a newline; one line when `compact`. */
int report_json__write(FILE *out, const struct report *r, const struct report_options *o, bool compact);
