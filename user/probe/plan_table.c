/* SPDX-License-Identifier: GPL-2.0-only */
#include "abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "leaktrace.skel.h"
#include "probe/plan_table.h"

#define MAX_FAMILIES 128

struct plan_table {
	struct leaktrace_bpf *bpf;
	VEC(struct planned *) list;
	const char *fn_names[LT_MAX_FUNCTIONS];
	u32 n_fns, n_modules;
	const struct family *with_pools[MAX_FAMILIES];
};

struct plan_table *plan_table__new(struct leaktrace_bpf *bpf)
{
	struct plan_table *t = calloc(1, sizeof(*t));

	if (t)
		t->bpf = bpf;
	return t;
}

static void free_notes(struct planned_notes *n)
{
	char **note;

	vec__each (&n->list, note)
		free(*note);
	vec__free(&n->list);
}

static void planned__free(struct planned *p)
{
	struct planned_family *f;

	free_notes(&p->missed);
	free_notes(&p->not_missed);
	vec__each (&p->families, f)
		free(f->names);
	vec__free(&p->families);
	plan__free(&p->plan);
	free(p);
}

void plan_table__free(struct plan_table *t)
{
	struct planned **p;

	if (!t)
		return;
	vec__each (&t->list, p)
		planned__free(*p);
	vec__free(&t->list);
	free(t);
}

static struct planned_family *find_family(struct planned *p, const struct family *family)
{
	struct planned_family *f;

	vec__each (&p->families, f) {
		if (f->family == family)
			return f;
	}
	f = vec__add(&p->families);
	if (!f)
		return NULL;
	f->family = family;
	f->names = calloc(p->plan.fns.n, sizeof(*f->names));
	return f->names ? f : NULL;
}

/* Part the names of what is planned by families. */
static int part_names(struct planned *p)
{
	const struct planned_fn *f;
	struct planned_family *of;

	vec__each (&p->plan.fns, f) {
		of = find_family(p, f->family);
		if (!of)
			return err__set(&p->why, -ENOMEM, "out of memory");
		of->names[of->n++] = f->name;
	}
	return 0;
}

/* The number of a family with pools, from 1. */
static u8 number_of(struct plan_table *t, const struct family *f)
{
	u8 i;

	for (i = 0; i < MAX_FAMILIES - 1; i++) {
		if (!t->with_pools[i])
			t->with_pools[i] = f;
		if (t->with_pools[i] == f)
			break;
	}
	return i + 1;
}

/*
 * Wrappers and pools call others through helpers of their own. Not so operator new: an exception and what a handler of
 * the program's allocates below it are the program's.
 */
static bool covers(const struct plan *p, const struct planned_fn *f)
{
	return f->family->given || (f->family == &family_malloc && !p->is_whole);
}

static int publish_fn(struct plan_table *t, struct planned *p, const struct planned_fn *f)
{
	struct lt_fn fn = {
		.vaddr = f->vaddr + f->place.offset,
		.module = t->n_modules,
		.op = f->fn->op,
		.size_reg = plan__register(f, f->fn->size_arg),
		.count_reg = plan__register(f, f->fn->count_arg),
		.ptr_reg = plan__register(f, f->fn->ptr_arg),
		.failed_realloc = plan__failed_realloc(&p->plan, f),
		.ret_insns = f->returns == PLAN_RETURN_INSNS,
		.sp_offset = (u16)f->place.sp_offset,
		.pool_reg = plan__register(f, f->fn->pool_arg),
		.pools = family__has_pools(f->family, f->fn) ? number_of(t, f->family) : 0,
		.layer = family__has_layer(f->family) ? number_of(t, f->family) : 0,
		.covers = covers(&p->plan, f),
	};
	u32 id = t->n_fns++;

	t->fn_names[id] = f->name;
	return bpf_map__update_elem(t->bpf->maps.fns, &id, sizeof(id), &fn, sizeof(fn), BPF_ANY) ? -errno : 0;
}

/* Tell the BPF side about a planned module. Its functions get consecutive cookies. */
static int publish(struct plan_table *t, struct planned *p)
{
	const struct planned_fn *f;
	int err = 0;

	if (!p->plan.fns.n)
		return 0;
	if (t->n_modules >= LT_MAX_MODULES || t->n_fns + p->plan.fns.n > LT_MAX_FUNCTIONS)
		return err__set(&p->why, -E2BIG, "more than %d modules or %d functions to hook", LT_MAX_MODULES,
				LT_MAX_FUNCTIONS);
	if (bpf_map__update_elem(t->bpf->maps.modules, &t->n_modules, sizeof(t->n_modules), &p->plan.internal,
				 sizeof(p->plan.internal), BPF_ANY))
		err = -errno;
	p->first_fn = t->n_fns;
	vec__each (&p->plan.fns, f)
		err = err ? err : publish_fn(t, p, f);
	t->n_modules++;
	return err ? err__set(&p->why, err, "cannot set up its probes: %s", strerror(-err)) : 0;
}

static int add_note(struct planned_notes *n, const char *fmt, ...)
{
	char **note = vec__add(&n->list);
	va_list ap;
	int len;

	if (!note)
		return -ENOMEM;
	va_start(ap, fmt);
	len = vasprintf(note, fmt, ap);
	va_end(ap);
	if (len >= 0)
		return 0;
	n->list.n--;
	return -ENOMEM;
}

static int word_left_out(struct planned *p)
{
	const char *module = module__name(p->module);
	const struct unplanned_fn *u;
	char text[256];
	int err = 0;

	vec__each (&p->plan.left_out, u) {
		if (!u->counted_below && !err)
			err = add_note(&p->missed, "%s of %s is not hooked: %s", u->name, module, u->why.text);
	}
	if (!err && plan__word_counted_below(&p->plan, text, sizeof(text)))
		err = add_note(&p->not_missed, "%s", text);
	return err ? err__set(&p->why, err, "out of memory") : 0;
}

const struct planned *plan_table__get(struct plan_table *t, const struct module *m, const struct plan_request *r)
{
	struct planned **known, *p;

	vec__each (&t->list, known) {
		if ((*known)->module == m && (*known)->request.no_return_probes == r->no_return_probes)
			return *known;
	}
	p = calloc(1, sizeof(*p));
	known = p ? vec__add(&t->list) : NULL;
	if (!known) {
		free(p);
		return NULL;
	}
	*known = p;
	p->module = m;
	p->request = *r;
	p->err = plan__make(&p->plan, m, r, &p->why);
	if (!p->err)
		p->err = part_names(p);
	if (!p->err)
		p->err = word_left_out(p);
	if (!p->err)
		p->err = publish(t, p);
	return p;
}

const char *plan_table__function(const struct plan_table *t, unsigned int fn)
{
	return fn < LT_MAX_FUNCTIONS ? t->fn_names[fn] : NULL;
}
