/* SPDX-License-Identifier: GPL-2.0-only */
#include "account/snapshot.h"
#include "judge/verdict.h"
#include "report/frame.h"
#include "report/json_build.h"
#include "report/json_parts.h"
#include "select/module.h"

static const char *kind_name(enum site_kind kind)
{
	switch (kind) {
	case SITE_MMAP:
		return "mmap";
	case SITE_BRK:
		return "brk";
	case SITE_MANAGED:
		return "managed";
	case SITE_HEAP:
		break;
	}
	return "heap";
}

static json_t *frame_line(const struct frame *f, const struct symbol *s)
{
	struct jobject o = jobject__new();
	char build_id[2 * BUILD_ID_MAX + 1] = "";

	if (f->module)
		module__build_id_hex(f->module, build_id, sizeof(build_id));
	jobject__set(&o, "pc", jvalue__hex(f->pc, 1, "0x"));
	jobject__set(&o, "symbol", jvalue__text(s->name));
	jobject__set(&o, "offset", s->name ? jvalue__u64(frame__symbol_offset(f, s)) : json_null());
	jobject__set(&o, "module", jvalue__text(f->module ? f->module->path : NULL));
	jobject__set(&o, "module_offset", f->module ? jvalue__u64(f->offset) : json_null());
	jobject__set(&o, "build_id", jvalue__text(*build_id ? build_id : NULL));
	jobject__set(&o, "file", jvalue__text(s->file));
	jobject__set(&o, "line", s->line ? json_integer(s->line) : json_null());
	jobject__set(&o, "inlined", json_boolean(s->inlined));
	return jobject__done(&o);
}

static json_t *frames(const struct report *r, const struct site *s)
{
	struct jobject list = jlist__new();

	for (unsigned int i = 0; i < s->n_frames; i++) {
		struct symbol room;
		struct symbols lines = frame__symbols(r, &s->frames[i], &room);

		for (unsigned int j = 0; j < lines.n; j++)
			jlist__add(&list, frame_line(&s->frames[i], &lines.at[j]));
	}
	return jobject__done(&list);
}

static json_t *floors(const struct site *s)
{
	struct jobject list = jlist__new();

	for (unsigned int i = 0; i < s->n_floors; i++)
		jlist__add(&list, jvalue__u64(s->floors[i]));
	return jobject__done(&list);
}

static json_t *ages(const struct site *s)
{
	struct jobject list = jlist__new();

	for (unsigned int i = 0; i < s->n_ages; i++) {
		struct jobject o = jobject__new();

		jobject__set(&o, "min_s", jvalue__real(s->ages[i].min_s));
		jobject__set(&o, "max_s", jvalue__real(s->ages[i].max_s));
		jobject__set(&o, "bytes", json_integer(s->ages[i].bytes));
		jobject__set(&o, "blocks", json_integer(s->ages[i].blocks));
		jlist__add(&list, jobject__done(&o));
	}
	return jobject__done(&list);
}

/* null when they were not asked for: an empty list says that there are none. */
static json_t *blocks_of(const struct report_options *opt, const struct block_index *blocks, const struct site *s)
{
	struct jobject list;
	const struct block **at;
	uint64_t n;

	if (!opt->show_addresses)
		return json_null();
	list = jlist__new();
	at = block_index__of(blocks, s->id, &n);
	for (uint64_t i = 0; i < n; i++) {
		struct jobject o;

		if (!pick__counts_block(s, at[i], opt->min_age_s))
			continue;
		o = jobject__new();
		jobject__set(&o, "address", jvalue__hex(at[i]->address, 1, "0x"));
		jobject__set(&o, "size", jvalue__u64(at[i]->size));
		jobject__set(&o, "age_s", jvalue__real(at[i]->age_s));
		jlist__add(&list, jobject__done(&o));
	}
	return jobject__done(&list);
}

static json_t *reasons(const struct verdict *v)
{
	struct jobject list = jlist__new();

	if (*v->reason)
		jlist__add(&list, jvalue__text(v->reason));
	return jobject__done(&list);
}

static void set_verdict(struct jobject *o, const struct verdict *v)
{
	jobject__set(o, "class", json_string(leak_class__name(v->class)));
	jobject__set(o, "growing", v->growing < 0 ? json_null() : json_boolean(v->growing));
	jobject__set(o, "confidence", jvalue__real(v->confidence));
	jobject__set(o, "reasons", reasons(v));
	jobject__set(o, "rising", json_boolean(v->rising));
}

static void set_memory(struct jobject *o, const struct site *s)
{
	jobject__set(o, "live_bytes", json_integer(s->live_bytes));
	jobject__set(o, "live_bytes_se", json_integer(0)); /* every block is counted: no sampling error */
	jobject__set(o, "live_blocks", json_integer(s->live_blocks));
	jobject__set(o, "growth_bytes_per_s", jvalue__real(s->growth_bytes_per_s));
	jobject__set(o, "growth_ci95", json_null());
	jobject__set(o, "total_alloc_bytes", jvalue__u64(s->total_alloc_bytes));
	jobject__set(o, "total_allocs", jvalue__u64(s->total_allocs));
	jobject__set(o, "total_frees", jvalue__u64(s->total_frees));
	jobject__set(o, "failed_allocs", jvalue__u64(s->failed_allocs));
	jobject__set(o, "failed_last_size", s->failed_allocs ? jvalue__u64(s->failed_last_size) : json_null());
	jobject__set(o, "oldest_age_s", jvalue__real(s->oldest_age_s));
}

static void set_series(struct jobject *o, const struct site *s)
{
	jobject__set(o, "windows", json_integer(s->windows));
	jobject__set(o, "rises", json_integer(s->rises));
	jobject__set(o, "falls", json_integer(s->falls));
	jobject__set(o, "floors", floors(s));
	jobject__set(o, "ages", ages(s));
}

json_t *json_site__new(const struct report *r, const struct report_options *opt, const struct block_index *blocks,
		       unsigned int index)
{
	const struct site *s = &r->snap->sites[index];
	const struct verdict *v = &r->judgement->sites[index];
	struct jobject o = jobject__new();

	jobject__set(&o, "id", jvalue__hex(s->id, 16, ""));
	jobject__set(&o, "rank", json_integer(v->rank));
	jobject__set(&o, "pid", json_integer(r->snap->processes[s->process].pid));
	jobject__set(&o, "kind", json_string(kind_name(s->kind)));
	jobject__set(&o, "function", jvalue__text(s->function));
	jobject__set(&o, "overflow", json_boolean(s->overflow));
	set_verdict(&o, v);
	set_memory(&o, s);
	set_series(&o, s);
	jobject__set(&o, "reachable", json_string("unknown"));
	jobject__set(&o, "holders", json_array());
	jobject__set(&o, "truncated", jvalue__text(s->truncated));
	jobject__set(&o, "guessed", json_boolean(s->guessed));
	jobject__set(&o, "finished", json_boolean(s->finished));
	jobject__set(&o, "frames_lost", json_boolean(s->frames_lost));
	jobject__set(&o, "frames", frames(r, s));
	jobject__set(&o, "blocks", blocks_of(opt, blocks, s));
	return jobject__done(&o);
}
