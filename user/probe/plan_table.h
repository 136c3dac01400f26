/* SPDX-License-Identifier: GPL-2.0-only */
/* plan_table: the plans of all modules of a trace, made once each, and what the BPF side is told of them. */
#pragma once

#include "base/err.h"
#include "probe/plan.h"

struct leaktrace_bpf;
struct plan_table;

/* The functions of one family. */
struct planned_family {
	const struct family *family;
	const char **names;
	unsigned int n;
};

struct planned {
	const struct module *module;
	struct plan_request request;
	int err; /* of planning: -ENOENT has no allocator; else `why` says it */
	struct err why;
	struct plan plan;
	uint32_t first_fn; /* attach cookie of plan.fns[0]; the others follow */
	VEC(struct planned_family) families;
	/* Sentences about functions that are left out: one for each that is missed, then one for all that are not. */
	struct planned_notes {
		VEC(char *) list;
	} missed, not_missed;
};

/* NULL when out of memory. */
struct plan_table *plan_table__new(struct leaktrace_bpf *bpf);
void plan_table__free(struct plan_table *t);

/* The plan of a module. NULL when out of memory. Valid until plan_table__free(). */
const struct planned *plan_table__get(struct plan_table *t, const struct module *m, const struct plan_request *r);

/* Name of the function with this attach cookie (lt_site.fn). */
const char *plan_table__function(const struct plan_table *t, unsigned int fn);
