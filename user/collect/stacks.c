/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "collect/stacks.h"
#include "collect/walked.h"
#include "unwind/finish.h"

int stacks__init(struct stacks *s, uint64_t n_sites, struct tables *tables)
{
	s->by_site = calloc(n_sites, sizeof(*s->by_site));
	s->n = n_sites;
	s->tables = tables;
	s->finisher = finisher__new();
	return s->by_site && s->finisher ? 0 : -ENOMEM;
}

static void keep(void *stack)
{
	(void)stack;
}

void stacks__free(struct stacks *s)
{
	uint64_t i;

	tdestroy(s->by_places, keep);
	for (i = 0; s->by_site && i < s->n; i++)
		free(s->by_site[i].frames);
	free(s->by_site);
	finisher__free(s->finisher);
}

uint32_t stacks__primary(const struct stacks *s, uint32_t site)
{
	return site < s->n && s->by_site[site].frames ? s->by_site[site].primary : site;
}

static int compare_places(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;
	unsigned int i;

	if (x->slot != y->slot || x->fn != y->fn)
		return x->slot != y->slot ? (x->slot < y->slot ? -1 : 1) : (x->fn < y->fn ? -1 : 1);
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	for (i = 1; i < x->n; i++) {
		const struct frame *f = &x->frames[i], *g = &y->frames[i];
		uint64_t p = f->module ? f->offset : f->pc, q = g->module ? g->offset : g->pc;

		/* An interrupted instruction may lie where a call returns to, which is shown as the call. */
		if (f->is_return_address != g->is_return_address)
			return f->is_return_address ? 1 : -1;
		if (f->module != g->module)
			return (uintptr_t)f->module < (uintptr_t)g->module ? -1 : 1;
		if (p != q)
			return p < q ? -1 : 1;
	}
	return 0;
}

/* Show it as the site that has the same frames, if there is one. */
static int join(struct stacks *s, struct stack *stack)
{
	struct stack **known = tsearch(stack, &s->by_places, compare_places), *primary;

	if (!known)
		return -ENOMEM;
	primary = *known;
	if (primary == stack)
		return 0;
	stack->primary = primary->site;
	stack->next = primary->next;
	primary->next = stack->site;
	return 0;
}

int stacks__add(struct stacks *s, struct images *images, uint16_t fn, const struct lt_rec_stack *rec, size_t size)
{
	const struct walk_context context = {.finisher = s->finisher, .tables = s->tables, .images = images};
	struct stack *stack;
	struct image *img;
	unsigned int index;
	struct walked w;
	int err;

	if (size < offsetof(struct lt_rec_stack, frames) || rec->site >= s->n)
		return -EPROTO;
	stack = &s->by_site[rec->site];
	img = images__by_slot(images, rec->slot, &index);
	if (stack->frames || !img)
		return 0;
	err = walked__read(&w, &context, img, rec, size);
	if (err)
		return err;
	stack->frames = calloc(w.n ? w.n : 1, sizeof(*stack->frames));
	if (!stack->frames)
		return -ENOMEM;
	memcpy(stack->frames, w.frames, w.n * sizeof(*stack->frames));
	stack->n = (uint16_t)w.n;
	stack->site = stack->primary = rec->site;
	stack->next = NO_SITE;
	stack->slot = rec->slot;
	stack->fn = fn;
	stack->end = (uint8_t)w.end;
	stack->flags = (uint8_t)w.flags;
	stack->finished = w.finished;
	image__name_jit(img, stack->frames, stack->n);
	return join(s, stack);
}
