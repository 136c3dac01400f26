/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "collect/stacks.h"
#include "unwind/finish.h"
#include "unwind/spaces.h"
#include "unwind/tables.h"

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

const char *stack__truncated(const struct stack *s)
{
	switch ((enum lt_stack_end)s->end) {
	case LT_END_WHOLE:
		return NULL;
	case LT_END_DEEP:
		return "deeper than the 127 frames that are walked";
	case LT_END_UNMAPPED:
		return "it leads into memory that is not mapped as code";
	case LT_END_NO_RULE:
		return "the unwind information there is of a kind that is not understood";
	case LT_END_SIGNAL:
		return "it leads through a signal handler into code without exact unwind information";
	case LT_END_STALE:
		return "libraries were loaded or unloaded meanwhile";
	case LT_END_UNREADABLE:
		return "the stack beyond could not be read";
	default:
		return "code without unwind information and frame pointers";
	}
}

static bool is_complete(const struct lt_rec_stack *rec, size_t size)
{
	size_t head = offsetof(struct lt_rec_stack, frames);

	if (rec->type == LT_REC_PARTIAL && size < sizeof(struct lt_rec_partial))
		return false;
	return size >= head && rec->n && rec->n <= LT_MAX_FRAMES &&
	       size >= head + (size_t)rec->n * sizeof(rec->frames[0]);
}

/* What a walk has found, before it is resolved to files. */
struct walked {
	struct lt_frame frames[LT_MAX_FRAMES];
	bool interrupted[LT_MAX_FRAMES];
	unsigned int n, flags;
	enum lt_stack_end end;
	bool finished;
};

static void take_record(struct walked *w, const struct lt_rec_stack *rec)
{
	unsigned int i;

	memset(w, 0, sizeof(*w));
	w->n = rec->n;
	w->end = rec->end;
	w->flags = rec->flags;
	memcpy(w->frames, rec->frames, rec->n * sizeof(rec->frames[0]));
	for (i = 0; i < w->n; i++)
		w->interrupted[i] = rec->interrupted[i / 64] >> i % 64 & 1;
}

static uint32_t at_most(uint32_t n, uint32_t max)
{
	return n < max ? n : max;
}

/* Walk again from the copy of registers and stack. What the kernel side found stays if that comes no further. */
static void finish(struct stacks *s, struct image *img, const struct lt_rec_partial *rec, struct walked *w)
{
	const struct replaced_word *replaced = (const struct replaced_word *)rec->replaced;
	const struct stack_part parts[] = {
		{.at = rec->regs[LT_PARTIAL_SP], .bytes = rec->near, .size = at_most(rec->n_near, LT_PARTIAL_NEAR)},
		{.at = rec->far_sp, .bytes = rec->far, .size = at_most(rec->n_far, LT_PARTIAL_FAR)},
	};
	struct stack_copy copy = {
		.regs = rec->regs,
		.n_regs = LT_PARTIAL_REGS,
		.parts = parts,
		.n_parts = 2,
		.replaced = replaced,
		.n_replaced = at_most(rec->n_replaced, LT_PARTIAL_REPLACED),
	};
	bool interrupted[LT_MAX_FRAMES] = {};
	uint64_t pcs[LT_MAX_FRAMES];
	unsigned int i, n = 0, flags = 0;
	enum lt_stack_end end;

	end = finisher__walk(s->finisher, &img->mappings, &copy, pcs, interrupted, LT_MAX_FRAMES, &n, &flags);
	if (!n || (n < w->n && w->end != LT_END_STALE))
		return;
	for (i = 0; i < n; i++)
		w->frames[i] = (struct lt_frame){.pc = pcs[i]};
	memcpy(w->interrupted, interrupted, sizeof(interrupted));
	w->n = n;
	w->end = end;
	w->flags = flags;
	w->finished = true;
}

/* Other libraries may be where those of the walk were: what the kernel side has walked is right then, and no more. */
static void finish_if_possible(struct stacks *s, struct images *images, struct image *img,
			       const struct lt_rec_partial *rec, struct walked *w)
{
	image__refresh_mappings(img, images);
	if (images->spaces && spaces__stale(images->spaces, img->space) != rec->stale)
		w->end = LT_END_STALE;
	else
		finish(s, img, rec, w);
}

static void resolve(struct stacks *s, struct images *images, struct image *img, const struct lt_frame *from,
		    struct frame *to)
{
	const struct mapping *at;

	if (from->place && !(from->place & LT_PLACE_PC)) {
		to->module =
			tables__module(s->tables, (uint32_t)(from->place >> 32), (uint32_t)from->place, &to->offset);
		return;
	}
	at = image__find(img, images, to->pc - to->is_return_address);
	if (!at || !at->module)
		return;
	to->module = s->tables ? tables__representative(s->tables, at->module) : at->module;
	to->offset = to->pc - at->start + at->offset;
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
	struct stack *stack;
	struct image *img;
	unsigned int index, i;
	struct walked w;

	if (!is_complete(rec, size) || rec->site >= s->n)
		return -EPROTO;
	stack = &s->by_site[rec->site];
	img = images__by_slot(images, rec->slot, &index);
	if (stack->frames || !img)
		return 0;
	take_record(&w, rec);
	if (rec->type == LT_REC_PARTIAL)
		finish_if_possible(s, images, img, (const struct lt_rec_partial *)rec, &w);
	stack->frames = calloc(w.n, sizeof(*stack->frames));
	if (!stack->frames)
		return -ENOMEM;
	/* A chain of frame pointers often ends in a zero return address. */
	for (i = 0; i < w.n && w.frames[i].pc; i++) {
		stack->frames[i].pc = w.frames[i].pc;
		stack->frames[i].is_return_address = i > 0 && !w.interrupted[i];
		resolve(s, images, img, &w.frames[i], &stack->frames[i]);
	}
	stack->n = (uint16_t)i;
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
