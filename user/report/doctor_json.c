/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/doctor.h"
#include "report/json_build.h"

static json_t *known_real(double v)
{
	return v < 0 ? json_null() : jvalue__real(v);
}

static json_t *feature(const struct doctor_feature *f)
{
	struct jobject o = jobject__new();

	jobject__set(&o, "id", jvalue__text(f->id));
	jobject__set(&o, "name", jvalue__text(f->name));
	jobject__set(&o, "there", f->known ? json_boolean(f->there) : json_null());
	jobject__set(&o, "required", json_boolean(f->required));
	jobject__set(&o, "used", json_boolean(f->used));
	jobject__set(&o, "detail", jvalue__text(f->detail));
	return jobject__done(&o);
}

static json_t *cost(const struct doctor_cost *c)
{
	struct jobject o = jobject__new();

	jobject__set(&o, "emulated_ns", known_real(c->emulated_ns));
	jobject__set(&o, "single_stepped_ns", known_real(c->stepped_ns));
	jobject__set(&o, "return_ns", known_real(c->watched_ns));
	jobject__set(&o, "allocation_and_release_ns", known_real(c->pair_ns));
	return jobject__done(&o);
}

static json_t *function(const struct doctor_function *f)
{
	struct jobject o = jobject__new();

	jobject__set(&o, "function", jvalue__text(f->function));
	jobject__set(&o, "family", jvalue__text(f->family));
	jobject__set(&o, "path", jvalue__text(f->path));
	jobject__set(&o, "build_id", jvalue__text(f->build_id));
	jobject__set(&o, "offset", jvalue__u64(f->offset));
	jobject__set(&o, "instruction", jvalue__text(f->instruction));
	jobject__set(&o, "emulated", json_boolean(f->emulated));
	jobject__set(&o, "returns", jvalue__text(f->returns));
	jobject__set(&o, "reason", jvalue__text(f->reason));
	jobject__set(&o, "cost_ns", known_real(f->cost_ns));
	jobject__set(&o, "hits_per_s", known_real(f->hits_per_s));
	return jobject__done(&o);
}

static json_t *left_out(const struct doctor_left_out *l)
{
	struct jobject o = jobject__new();

	jobject__set(&o, "path", jvalue__text(l->path));
	jobject__set(&o, "function", jvalue__text(l->function));
	jobject__set(&o, "reason", jvalue__text(l->reason));
	return jobject__done(&o);
}

static json_t *process(const struct doctor_process *p)
{
	struct jobject o = jobject__new(), functions = jlist__new(), others = jlist__new();
	unsigned int i;

	for (i = 0; i < p->n_functions; i++)
		jlist__add(&functions, function(&p->functions[i]));
	for (i = 0; i < p->n_left_out; i++)
		jlist__add(&others, left_out(&p->left_out[i]));
	jobject__set(&o, "pid", jvalue__u64((uint64_t)p->pid));
	jobject__set(&o, "comm", jvalue__text(p->comm));
	jobject__set(&o, "exe", jvalue__text(p->exe));
	jobject__set(&o, "hooked", jobject__done(&functions));
	jobject__set(&o, "not_hooked", jobject__done(&others));
	jobject__set(&o, "counted_s", known_real(p->counted_s));
	jobject__set(&o, "counted", p->counted_s < 0 ? json_null() : jvalue__u64(p->counted));
	jobject__set(&o, "count_note", jvalue__text(p->count_note));
	jobject__set(&o, "predicted_percent_of_one_cpu", known_real(p->percent_of_one_cpu));
	jobject__set(&o, "predicted_is_at_least", json_boolean(p->at_least));
	return jobject__done(&o);
}

static json_t *document(const struct doctor_report *r)
{
	struct jobject o = jobject__new(), features = jlist__new(), processes = jlist__new();
	unsigned int i;

	for (i = 0; i < r->n_features; i++)
		jlist__add(&features, feature(&r->features[i]));
	for (i = 0; i < r->n_processes; i++)
		jlist__add(&processes, process(&r->processes[i]));
	jobject__set(&o, "schema", jvalue__text("leaktrace.doctor/1"));
	jobject__set(&o, "version", jvalue__text(r->version));
	jobject__set(&o, "host", jvalue__text(r->host));
	jobject__set(&o, "kernel", jvalue__text(r->kernel));
	jobject__set(&o, "started", jvalue__date(r->started));
	jobject__set(&o, "can_trace", json_boolean(r->can_trace));
	jobject__set(&o, "attach_path", jvalue__text(r->path));
	jobject__set(&o, "features", jobject__done(&features));
	jobject__set(&o, "cost", cost(&r->cost));
	jobject__set(&o, "processes", jobject__done(&processes));
	return jobject__done(&o);
}

int doctor_json__write(FILE *out, const struct doctor_report *r)
{
	return jdocument__write(out, document(r), false);
}
