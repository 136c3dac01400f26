/* SPDX-License-Identifier: GPL-2.0-only */
/* attached: what became of each module with an allocator in each process, for the report. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/vec.h"
#include "probe/plan_table.h"

/* What was hooked, or was not and why, in some process. */
struct attached_module {
	const struct module *module; /* NULL: what the user named is in none */
	const char *path;	     /* of it, or what the user gave */
	pid_t pid;
	const char *family;	      /* when hooked */
	const char *const *functions; /* their names, when hooked */
	unsigned int n_functions;
	const char *reason; /* why not, when not hooked; NULL otherwise */
	bool not_missed;    /* it need not be hooked */
};

/* A sentence about what the user gave and a process lacks. */
struct attached_missing {
	pid_t pid;
	char *path, *text;
};

struct attached {
	VEC(struct attached_module) modules;
	VEC(struct attached_missing) missing;
};

void attached__free(struct attached *a);

/* A module was planned, and is hooked in this process unless its plan says why not. 0 or -ENOMEM. */
int attached__add(struct attached *a, pid_t pid, const struct planned *p);

/*
 * These are the plans of the files that the process has mapped now (n of them): what of the user's own families
 * (families ends with NULL) is in none? Replaces what was said of it before. 0 or -ENOMEM.
 */
int attached__find_missing(struct attached *a, pid_t pid, const struct family *const *families,
			   const struct plan *const *plans, size_t n);
