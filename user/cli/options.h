/* SPDX-License-Identifier: GPL-2.0-only */
/* options: the command line, checked. Usage errors end the program with status 2 and one line on stderr. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/allocator_spec.h"
#include "probe/attach_path.h"
#include "probe/attacher.h"
#include "probe/loader.h"
#include "select/target.h"

/* Exit statuses; part of the command line's contract. */
enum exit_status { EXIT_TRACED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LEAK = 3, EXIT_LOST = 4 };

enum output_format { FORMAT_TEXT, FORMAT_JSON };

#define OPTIONS_FAMILIES (8 + ALLOCATOR_SPECS_MAX) /* all that are known, and those of the user */

struct options {
	bool doctor;	     /* the command doctor, not trace */
	struct targets pids; /* -p; not checked yet */
	char **command;	     /* after --, or from -c; NULL: none */
	bool has_interval;
	uint64_t interval_ns; /* of a window */
	uint64_t count;	      /* reports, 0 no limit */
	uint64_t duration_ns; /* 0 no limit */
	enum output_format format;
	const char *output; /* -w; NULL stdout */
	unsigned int top;   /* 0: the format's default */
	uint64_t min_age_ns;
	uint64_t min_size, max_size;
	bool show_addresses, quiet;
	bool events; /* -t: print each event */
	int verbose;
	uint64_t max_blocks, max_sites;
	enum attach_path path; /* ATTACH_NONE: the best that works */
	enum stack_method stacks;
	const struct family *families[OPTIONS_FAMILIES + 1]; /* that are looked for; ends with NULL */
	bool with_callers;				     /* see struct plan_request */
	struct allocator_specs allocators;		     /* --allocator and -S; they are among the families */
	const char *object; /* -O: the only file in which allocators are looked for; NULL: all */
	bool no_return_probes;
	bool debuggers_are_harmless; /* they set no breakpoints in code */
	bool audit;		     /* sum up the block map for each report */
};

/* Fill o from the command line; does not return on --help, --version and usage errors. */
void options__parse(struct options *o, int argc, char **argv);
