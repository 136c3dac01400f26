/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "account/losses.h"
#include "account/snapshot.h"
#include "judge/verdict.h"
#include "report/json_build.h"
#include "report/json_parts.h"
#include "report/report.h"

static json_t *processes(const struct snapshot *snap)
{
	struct jobject list = jlist__new();

	for (unsigned int i = 0; i < snap->n_processes; i++)
		jlist__add(&list, json_process__new(&snap->processes[i]));
	return jobject__done(&list);
}

static json_t *sites(const struct report *r, const struct report_options *o, const struct block_index *blocks)
{
	struct jobject list = jlist__new();
	unsigned int listed = 0;

	for (unsigned int i = 0; i < r->judgement->n && (!o->top || listed < o->top); i++) {
		unsigned int index = r->judgement->order[i];

		if (o->min_age_s > 0 && amount__is_none(pick__amount(&r->snap->sites[index], o->min_age_s)))
			continue;
		jlist__add(&list, json_site__new(r, o, blocks, index));
		listed++;
	}
	return jobject__done(&list);
}

static json_t *losses(const struct losses *l)
{
	struct jobject o = jobject__new();

	for (unsigned int i = 0; i < n_loss_kinds; i++)
		jobject__set(&o, loss_kinds[i].name, jvalue__u64(loss_kind__count(&loss_kinds[i], l)));
	return jobject__done(&o);
}

static json_t *overhead(const struct overhead *v)
{
	struct jobject o = jobject__new();

	jobject__set(&o, "probe_hits", jvalue__u64(v->probe_hits));
	jobject__set(&o, "probe_cpu_s", jvalue__real(v->probe_cpu_s));
	jobject__set(&o, "tool_cpu_s", jvalue__real(v->tool_cpu_s));
	jobject__set(&o, "percent_of_one_cpu", jvalue__real(v->percent_of_one_cpu));
	jobject__set(&o, "budget_percent", json_null());
	jobject__set(&o, "acts", json_array());
	return jobject__done(&o);
}

static json_t *walk_ends(const struct walk_ends *w)
{
	struct jobject o = jobject__new();

	jobject__set(&o, "deep", jvalue__u64(w->deep));
	jobject__set(&o, "unmapped", jvalue__u64(w->unmapped));
	jobject__set(&o, "no_rule", jvalue__u64(w->no_rule));
	jobject__set(&o, "signal", jvalue__u64(w->signal));
	jobject__set(&o, "stale", jvalue__u64(w->stale));
	jobject__set(&o, "unreadable", jvalue__u64(w->unreadable));
	jobject__set(&o, "implausible", jvalue__u64(w->implausible));
	return jobject__done(&o);
}

static json_t *audit(const struct snapshot *snap)
{
	struct jobject o;

	if (snap->audit_bytes < 0 || snap->audit_blocks < 0)
		return json_null();
	o = jobject__new();
	jobject__set(&o, "bytes", json_integer(snap->audit_bytes));
	jobject__set(&o, "blocks", json_integer(snap->audit_blocks));
	return jobject__done(&o);
}

static void set_trace(struct jobject *o, const struct report *r)
{
	const struct snapshot *snap = r->snap;

	jobject__set(o, "schema", json_string("leaktrace.report/1"));
	jobject__set(o, "version", jvalue__text(r->version));
	jobject__set(o, "host", jvalue__text(r->host));
	jobject__set(o, "kernel", jvalue__text(r->kernel));
	jobject__set(o, "started", jvalue__date(snap->started));
	jobject__set(o, "duration_s", jvalue__real(snap->duration_s));
	jobject__set(o, "observed_s", jvalue__real(snap->observed_s));
	jobject__set(o, "interval_s", jvalue__real(snap->interval_s));
	jobject__set(o, "windows", json_integer(snap->windows));
	jobject__set(o, "sample_bytes", json_integer(0));
	jobject__set(o, "mode", json_string("exact"));
	jobject__set(o, "final", json_boolean(snap->final));
	jobject__set(o, "end_reason", jvalue__text(snap->end_reason));
	jobject__set(o, "stacks", jvalue__text(snap->stack_method));
	jobject__set(o, "attach_path", jvalue__text(snap->attach_path));
}

static json_t *document(const struct report *r, const struct report_options *o, const struct block_index *blocks)
{
	struct jobject doc = jobject__new();

	set_trace(&doc, r);
	jobject__set(&doc, "min_age_s", o->min_age_s > 0 ? jvalue__real(o->min_age_s) : json_null());
	jobject__set(&doc, "processes", processes(r->snap));
	jobject__set(&doc, "sites", sites(r, o, blocks));
	jobject__set(&doc, "losses", losses(&r->snap->losses));
	jobject__set(&doc, "walk_ends", walk_ends(&r->snap->walk_ends));
	jobject__set(&doc, "overhead", overhead(&r->snap->overhead));
	jobject__set(&doc, "audit", audit(r->snap));
	return jobject__done(&doc);
}

int report_json__write(FILE *out, const struct report *r, const struct report_options *o, bool compact)
{
	struct block_index blocks;
	json_t *doc;
	int err;

	err = block_index__build(&blocks, r, o);
	if (err)
		return err;
	doc = document(r, o, &blocks);
	block_index__free(&blocks);
	return jdocument__write(out, doc, compact);
}
