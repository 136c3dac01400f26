/* SPDX-License-Identifier: GPL-2.0-only */
#include "abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "leaktrace.skel.h"
#include "probe/plan_table.h"

struct plan_table {
	struct leaktrace_bpf *bpf;
	VEC(struct planned *) list;
	const char *fn_names[LT_MAX_FUNCTIONS];
	u32 n_fns, n_modules;
};

struct plan_table *plan_table__new(struct leaktrace_bpf *bpf)
{
	struct plan_table *t = calloc(1, sizeof(*t));

	if (t)
		t->bpf = bpf;
	return t;
}

static void planned__free(struct planned *p)
{
	size_t i;

	for (i = 0; p->left_out && i < p->plan.left_out.n; i++)
		free(p->left_out[i]);
	free(p->left_out);
	free(p->names);
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

static int publish_fn(struct plan_table *t, struct planned *p, const struct planned_fn *f)
{
	struct lt_fn fn = {
		.vaddr = f->vaddr + f->place.offset,
		.module = t->n_modules,
		.op = f->fn->op,
		.size_reg = plan__register(f, f->fn->size_arg),
		.count_reg = plan__register(f, f->fn->count_arg),
		.ptr_reg = plan__register(f, f->fn->ptr_arg),
		.realloc_zero_frees = p->plan.realloc_zero_frees,
		.ret_insns = f->returns == PLAN_RETURN_INSNS,
		.sp_offset = (u16)f->place.sp_offset,
	};
	u32 id = t->n_fns++;

	t->fn_names[id] = p->names[f - p->plan.fns.at] = family_fn__shown(f->fn);
	return bpf_map__update_elem(t->bpf->maps.fns, &id, sizeof(id), &fn, sizeof(fn), BPF_ANY) ? -errno : 0;
}

/* Tell the BPF side about a planned module. Its functions get consecutive cookies. */
static int publish(struct plan_table *t, struct planned *p)
{
	const struct planned_fn *f;
	int err = 0;

	if (t->n_modules >= LT_MAX_MODULES || t->n_fns + p->plan.fns.n > LT_MAX_FUNCTIONS)
		return err__set(&p->why, -E2BIG, "more than %d modules or %d functions to hook", LT_MAX_MODULES,
				LT_MAX_FUNCTIONS);
	p->names = calloc(p->plan.fns.n, sizeof(*p->names));
	if (!p->names)
		return err__set(&p->why, -ENOMEM, "out of memory");
	if (bpf_map__update_elem(t->bpf->maps.modules, &t->n_modules, sizeof(t->n_modules), &p->plan.internal,
				 sizeof(p->plan.internal), BPF_ANY))
		err = -errno;
	p->first_fn = t->n_fns;
	vec__each (&p->plan.fns, f)
		err = err ? err : publish_fn(t, p, f);
	t->n_modules++;
	return err ? err__set(&p->why, err, "cannot set up its probes: %s", strerror(-err)) : 0;
}

static int word_left_out(struct planned *p)
{
	const struct unplanned_fn *f;

	p->left_out = calloc(p->plan.left_out.n + 1, sizeof(*p->left_out));
	if (!p->left_out)
		return err__set(&p->why, -ENOMEM, "out of memory");
	vec__each (&p->plan.left_out, f) {
		if (asprintf(&p->left_out[f - p->plan.left_out.at], "%s of %s is not hooked: %s",
			     family_fn__shown(f->fn), module__name(p->module), f->why.text) < 0) {
			p->left_out[f - p->plan.left_out.at] = NULL;
			return err__set(&p->why, -ENOMEM, "out of memory");
		}
	}
	return 0;
}

const struct planned *plan_table__get(struct plan_table *t, const struct module *m, const struct plan_request *r)
{
	struct planned **known, *p;

	vec__each (&t->list, known) {
		if ((*known)->module == m && (*known)->request.family == r->family &&
		    (*known)->request.no_return_probes == r->no_return_probes)
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
		p->err = word_left_out(p);
	if (!p->err)
		p->err = publish(t, p);
	return p;
}

const char *plan_table__function(const struct plan_table *t, unsigned int fn)
{
	return fn < LT_MAX_FUNCTIONS ? t->fn_names[fn] : NULL;
}
