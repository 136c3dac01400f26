/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/doctor_process.h"
#include "probe/attached.h"
#include "probe/debugger.h"
#include "probe/hit_count.h"
#include "probe/plan.h"
#include "select/mappings.h"
#include "select/process_info.h"

#define PLANS_MAX 16 /* modules with an allocator in one process */

struct planning {
	struct doctor_process_data *d;
	const struct options *options;
	const struct doctor_costs *costs;
	struct mappings mappings;
	struct plan plans[PLANS_MAX];
	size_t n_plans;
};

/* A copy that is safe to show and lives as long as the report; "" when out of memory. */
static const char *keep(struct planning *p, const char *text)
{
	char **at = vec__add(&p->d->texts);

	if (!at)
		return "";
	*at = text__safe_dup(text);
	return *at ? *at : "";
}

static int leave_out(struct planning *p, const char *path, const char *function, const char *reason)
{
	struct doctor_left_out *l = vec__add(&p->d->left_out);

	if (!l)
		return -ENOMEM;
	l->path = keep(p, path);
	l->function = function;
	l->reason = keep(p, reason);
	return 0;
}

/* What each call of a function costs in probes alone. */
static double cost_of(const struct planned_fn *f, const struct doctor_cost *ns)
{
	double cost = f->place.emulated ? ns->emulated_ns : ns->stepped_ns;
	double returned = f->returns == PLAN_RETURN_PROBE   ? ns->watched_ns
			  : f->returns == PLAN_RETURN_INSNS ? ns->stepped_ns
							    : 0;

	return cost < 0 || returned < 0 ? -1 : cost + returned;
}

static const char *returns_of(const struct planned_fn *f)
{
	switch (f->returns) {
	case PLAN_RETURN_PROBE:
		return "by a return probe";
	case PLAN_RETURN_INSNS:
		return "at its ret instructions";
	default:
		return "";
	}
}

static int add_function(struct planning *p, const struct plan *plan, const struct planned_fn *f)
{
	struct doctor_function *out = vec__add(&p->d->functions);
	char text[128];

	if (!out)
		return -ENOMEM;
	out->function = f->name;
	out->family = f->family->name;
	out->path = keep(p, plan->module->path);
	out->build_id = keep(p, module__build_id_hex(plan->module, text, sizeof(text)));
	out->offset = f->place.offset;
	out->instruction = keep(p, plan__insn(plan, f, text, sizeof(text)));
	out->reason = place__reason(f->place.why);
	out->returns = returns_of(f);
	out->emulated = f->place.emulated;
	out->cost_ns = cost_of(f, p->costs->ns);
	out->hits_per_s = -1;
	return 0;
}

/* The functions of a plan that holds, in the order of the plans: counts are matched by it. */
static int add_plan(struct planning *p, const struct plan *plan)
{
	const struct unplanned_fn *u;
	const struct planned_fn *f;
	char text[256];
	int err = 0;

	vec__each (&plan->fns, f)
		err = err ? err : add_function(p, plan, f);
	vec__each (&plan->left_out, u) {
		if (!u->counted_below && !err)
			err = leave_out(p, plan->module->path, u->name, u->why.text);
	}
	if (!err && plan__word_counted_below(plan, text, sizeof(text)))
		err = leave_out(p, plan->module->path, NULL, text);
	return err;
}

static int plan_module(struct planning *p, pid_t pid, const struct module *m, const struct plan_request *r)
{
	struct plan *plan = &p->plans[p->n_plans];
	struct err why;
	int err;

	if (p->n_plans == PLANS_MAX)
		return leave_out(p, m->path, NULL, "there are too many files with an allocator");
	err = plan__make(plan, m, r, &why);
	if (!err)
		err = debugger__check(pid, &p->mappings, plan, &why);
	if (!err) {
		p->n_plans++;
		return add_plan(p, plan);
	}
	plan__free(plan);
	memset(plan, 0, sizeof(*plan));
	return err == -ENOENT ? 0 : leave_out(p, m->path, NULL, why.text);
}

/* Is this file's first executable mapping at that one? A file may have several. */
static bool is_first(const struct mappings *m, const struct mapping *at)
{
	const struct mapping *other;

	vec__each (&m->list, other) {
		if (other->module == at->module)
			return other == at;
	}
	return false;
}

/* What the user has described and no file has. */
static int leave_out_missing(struct planning *p, pid_t pid)
{
	const struct plan *plans[PLANS_MAX];
	const struct attached_module *m;
	struct attached a = {};
	size_t i;
	int err;

	for (i = 0; i < p->n_plans; i++)
		plans[i] = &p->plans[i];
	err = attached__find_missing(&a, pid, p->options->families, plans, p->n_plans);
	vec__each (&a.modules, m)
		err = err ? err : leave_out(p, m->path, NULL, m->reason);
	attached__free(&a);
	return err;
}

static int plan_all(struct planning *p, pid_t pid)
{
	const struct plan_request r = {
		.families = p->options->families,
		.with_callers = p->options->with_callers,
		.no_resets = !loader__can_reset(),
		.no_return_probes = p->costs->no_return_probes,
	};
	const struct mapping *at;
	int err = 0;

	vec__each (&p->mappings.list, at) {
		if (!at->module || !is_first(&p->mappings, at) ||
		    (p->options->object && !module__is_called(at->module, p->options->object)))
			continue;
		err = err ? err : plan_module(p, pid, at->module, &r);
	}
	return err ? err : leave_out_missing(p, pid);
}

/*
 * Allocations and releases come in pairs, of which the cost is known as a whole; what single-stepping adds to it is
 * known, too. Without the first, the probes alone are the least that it takes.
 */
static double predict(const struct planning *p, bool *at_least)
{
	const struct doctor_cost *ns = p->costs->ns;
	const struct doctor_function *f;
	double sum = 0, calls = 0;

	*at_least = ns->pair_ns < 0;
	vec__each (&p->d->functions, f) {
		if (f->cost_ns < 0)
			return -1;
		if (*at_least)
			sum += f->hits_per_s * f->cost_ns;
		else if (!f->emulated)
			sum += f->hits_per_s * (ns->stepped_ns - ns->emulated_ns);
		calls += f->hits_per_s;
	}
	if (!*at_least)
		sum += calls / 2 * ns->pair_ns;
	return sum / 1e9 * 100;
}

static void count_calls(struct planning *p, pid_t pid)
{
	struct doctor_process *out = &p->d->process;
	struct hit_count c;
	struct err why;
	size_t i;

	if (hit_count__run(&c, p->costs->path, pid, p->plans, p->n_plans, &why)) {
		snprintf(p->d->note, sizeof(p->d->note), "%s", why.text);
		out->count_note = p->d->note;
	} else {
		out->counted_s = c.seconds;
		out->counted = c.total;
		for (i = 0; i < c.hits.n && i < p->d->functions.n; i++)
			p->d->functions.at[i].hits_per_s = (double)c.hits.at[i] / c.seconds;
		out->percent_of_one_cpu = predict(p, &out->at_least);
	}
	hit_count__free(&c);
}

static void finish(struct planning *p, pid_t pid)
{
	struct doctor_process_data *d = p->d;
	struct process_info info;
	char *exe;

	if (!process_info__read(pid, &info))
		memcpy(d->comm, info.comm, sizeof(d->comm));
	exe = process_info__exe(pid);
	d->process.comm = d->comm;
	d->process.exe = exe ? keep(p, exe) : NULL;
	free(exe);
	d->process.functions = d->functions.at;
	d->process.n_functions = (unsigned int)d->functions.n;
	d->process.left_out = d->left_out.at;
	d->process.n_left_out = (unsigned int)d->left_out.n;
}

int doctor_process__make(struct doctor_process_data *d, struct target *t, struct module_table *modules,
			 const struct options *o, const struct doctor_costs *costs, struct err *e)
{
	struct planning *p = calloc(1, sizeof(*p));
	int err;

	memset(d, 0, sizeof(*d));
	d->process.pid = t->pid;
	d->process.counted_s = d->process.percent_of_one_cpu = -1;
	if (!p)
		return err__set(e, -ENOMEM, "out of memory");
	p->d = d;
	p->options = o;
	p->costs = costs;
	err = mappings__refresh(&p->mappings, modules, t->pid);
	err = err ? target__ended(t->pid, e) : plan_all(p, t->pid);
	if (!err && p->n_plans)
		count_calls(p, t->pid);
	if (!err)
		finish(p, t->pid);
	while (p->n_plans)
		plan__free(&p->plans[--p->n_plans]);
	mappings__free(&p->mappings);
	free(p);
	return err == -ENOMEM ? err__set(e, err, "out of memory") : err;
}

void doctor_process__free(struct doctor_process_data *d)
{
	char **text;

	vec__each (&d->texts, text)
		free(*text);
	vec__free(&d->texts);
	vec__free(&d->functions);
	vec__free(&d->left_out);
}
