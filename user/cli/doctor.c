/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/doctor.h"
#include "cli/doctor_process.h"
#include "cli/self_trace.h"
#include "cli/sink.h"
#include "probe/attach_path.h"
#include "probe/calibrate.h"
#include "probe/features.h"
#include "select/mappings.h"
#include "version.h"

struct doctor {
	const struct options *options;
	struct features features;
	VEC(struct doctor_feature) shown;
	struct doctor_cost cost;
	struct err pair_why;
	struct module_table *modules;
	struct doctor_process_data *processes; /* as many as targets */
	size_t n_processes;
	bool some_not_traceable;
};

static int show_features(struct doctor *d)
{
	const struct feature *f;

	vec__each (&d->features.list, f) {
		struct doctor_feature *out = vec__add(&d->shown);

		if (!out)
			return -ENOMEM;
		out->id = f->id;
		out->name = f->name;
		out->known = f->state != FEATURE_UNKNOWN;
		out->there = f->state == FEATURE_THERE;
		out->required = f->required;
		out->used = f->used;
		out->detail = f->detail.text[0] ? f->detail.text : NULL;
	}
	return 0;
}

/* Is this kernel's way of return probes one that kills? */
static bool returns_kill(const struct doctor *d)
{
	const struct feature *f;

	vec__each (&d->features.list, f) {
		if (!strcmp(f->id, FEATURE_RETURNS_UNDER_SECCOMP) && f->state == FEATURE_MISSING)
			return true;
	}
	return d->options->no_return_probes;
}

static void measure(struct doctor *d)
{
	struct calibration c;

	d->cost = (struct doctor_cost){-1, -1, -1, -1, NULL};
	if (!d->features.can_trace)
		return;
	if (!calibrate__run(&c, d->features.path)) {
		d->cost.emulated_ns = c.emulated;
		d->cost.stepped_ns = c.stepped;
		d->cost.watched_ns = c.watched;
	}
	if (self_trace__run(&d->cost.pair_ns, d->features.path, &d->pair_why)) {
		d->cost.pair_ns = -1;
		d->cost.pair_note = d->pair_why.text;
	}
}

static int look_at(struct doctor *d, struct target *t, struct err *e)
{
	struct doctor_costs costs = {
		.path = d->features.path,
		.no_return_probes = returns_kill(d),
		.ns = &d->cost,
	};
	struct doctor_process_data *out = &d->processes[d->n_processes];
	int err = doctor_process__make(out, t, d->modules, d->options, &costs, e);

	d->n_processes++;
	if (!err && !out->process.n_functions)
		d->some_not_traceable = true;
	return err;
}

static int examine(struct doctor *d, struct err *e)
{
	struct targets targets = d->options->pids;
	struct target *t;
	int err;

	/* First, because the rest takes seconds. */
	vec__each (&targets.list, t) {
		err = targets__check(t, e);
		if (err)
			return err;
	}
	d->modules = module_table__new();
	d->processes = calloc(targets.list.n + 1, sizeof(*d->processes));
	if (!d->modules || !d->processes || features__probe(&d->features, d->options->path) || show_features(d))
		return err__set(e, -ENOMEM, "out of memory");
	measure(d);
	vec__each (&targets.list, t) {
		err = d->features.can_trace ? look_at(d, t, e) : 0;
		if (err)
			return err;
	}
	return 0;
}

static int write_report(struct doctor *d, struct sink *out, struct err *e)
{
	struct doctor_process *processes = calloc(d->n_processes + 1, sizeof(*processes));
	struct utsname uts;
	struct doctor_report r = {
		.version = LEAKTRACE_VERSION,
		.host = uts.nodename,
		.kernel = uts.release,
		.started = (double)clock__wall_ns() / NSEC_PER_SEC,
		.can_trace = d->features.can_trace,
		.path = d->features.path == ATTACH_NONE ? NULL : attach_path__name(d->features.path),
		.features = d->shown.at,
		.n_features = (unsigned int)d->shown.n,
		.cost = d->cost,
		.processes = processes,
		.n_processes = (unsigned int)d->n_processes,
	};
	size_t i;
	int err;

	if (!processes)
		return err__set(e, -ENOMEM, "out of memory");
	uname(&uts);
	for (i = 0; i < d->n_processes; i++)
		processes[i] = d->processes[i].process;
	err = sink__write_doctor(out, &r, e);
	free(processes);
	return err;
}

static void end(struct doctor *d)
{
	while (d->n_processes)
		doctor_process__free(&d->processes[--d->n_processes]);
	free(d->processes);
	vec__free(&d->shown);
	features__free(&d->features);
	module_table__free(d->modules);
}

int doctor__run(const struct options *o)
{
	struct doctor d = {.options = o};
	struct sink out;
	struct err e;
	int err, close_err;

	err = sink__open(&out, o, &e);
	if (!err)
		err = examine(&d, &e);
	if (!err)
		err = write_report(&d, &out, &e);
	if (err)
		log__error("%s", e.text);
	close_err = out.file ? sink__close(&out, &e) : 0;
	if (close_err && !err)
		log__error("%s", e.text);
	end(&d);
	return err || close_err || !d.features.can_trace || d.some_not_traceable ? EXIT_FAILED : EXIT_TRACED;
}
