/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor_process: what would be probed in a process, and what that would cost. */
#pragma once

#include "base/vec.h"
#include "cli/options.h"
#include "report/doctor.h"

struct module_table;

/* A process's part of the report, and what its pointers point to. */
struct doctor_process_data {
	struct doctor_process process;
	VEC(struct doctor_function) functions;
	VEC(struct doctor_left_out) left_out;
	VEC(char *) texts;
	char comm[64], note[1024];
};

struct doctor_costs {
	enum attach_path path;
	bool no_return_probes;
	const struct doctor_cost *ns;
};

/*
 * Plan, and count its calls. 0, or a negative errno with a sentence. modules holds its files. Free with
 * doctor_process__free() in every case.
 */
int doctor_process__make(struct doctor_process_data *d, struct target *t, struct module_table *modules,
			 const struct options *o, const struct doctor_costs *costs, struct err *e);
void doctor_process__free(struct doctor_process_data *d);
