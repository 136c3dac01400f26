/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "collect/walked.h"
#include "unwind/finish.h"
#include "unwind/tables.h"

const char *lt_stack_end__words(enum lt_stack_end end)
{
	switch (end) {
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

	if (size < head || (rec->type == LT_REC_PARTIAL && size < sizeof(struct lt_rec_partial)))
		return false;
	return rec->n && rec->n <= LT_MAX_FRAMES && size >= head + (size_t)rec->n * sizeof(rec->frames[0]);
}

static void name_place(const struct walk_context *c, const struct mapping *at, struct frame *f)
{
	if (!at || !at->module)
		return;
	f->module = c->tables ? tables__representative(c->tables, at->module) : at->module;
	f->offset = f->pc - at->start + at->offset;
}

/* The kernel side's frames. A pc that it did not look up is named only where no time has passed for it to change. */
static void take_record(struct walked *w, const struct walk_context *c, struct image *img,
			const struct lt_rec_stack *rec)
{
	unsigned int i;

	memset(w, 0, sizeof(*w));
	w->end = rec->end;
	w->flags = rec->flags;
	/* A chain of frame pointers often ends in a zero return address. */
	for (i = 0; i < rec->n && rec->frames[i].pc; i++) {
		uint64_t place = rec->frames[i].place;
		struct frame *f = &w->frames[i];

		f->pc = rec->frames[i].pc;
		f->is_return_address = i > 0 && !(rec->interrupted[i / 64] >> i % 64 & 1);
		if (place & LT_PLACE_PC)
			continue;
		if (place)
			f->module = tables__module(c->tables, (uint32_t)(place >> 32), (uint32_t)place, &f->offset);
		else if (!i || rec->type == LT_REC_STACK)
			name_place(c, image__find(img, c->images, f->pc - f->is_return_address), f);
	}
	w->n = i;
}

static uint32_t at_most(uint32_t n, uint32_t max)
{
	return n < max ? n : max;
}

/*
 * Is a frame that was found by the mappings of now one of then? What was mapped before and is now was mapped then; and
 * what the kernel side says, it has seen.
 */
static bool is_certain(const struct walked *kernel, unsigned int i, const struct frame *f, const struct mapping *at,
		       uint32_t epoch)
{
	const struct frame *seen = i < kernel->n ? &kernel->frames[i] : NULL;

	return !at || (int32_t)(at->since - epoch) <= 0 ||
	       (seen && seen->pc == f->pc && seen->module && seen->module == f->module);
}

/* Walk the copy of registers and stack. in_time: the mappings are those of the moment. */
static void walk_copy(struct walked *w, const struct walk_context *c, const struct mappings *m, bool in_time,
		      uint32_t epoch, const struct lt_rec_partial *rec, const struct walked *kernel)
{
	const struct stack_part parts[] = {
		{.at = rec->regs[LT_PARTIAL_SP], .bytes = rec->near, .size = at_most(rec->n_near, LT_PARTIAL_NEAR)},
		{.at = rec->far_sp, .bytes = rec->far, .size = at_most(rec->n_far, LT_PARTIAL_FAR)},
	};
	const struct stack_copy copy = {
		.regs = rec->regs,
		.n_regs = LT_PARTIAL_REGS,
		.parts = parts,
		.n_parts = 2,
		.replaced = rec->replaced,
		.n_replaced = at_most(rec->n_replaced, LT_PARTIAL_REPLACED),
	};
	bool interrupted[LT_MAX_FRAMES] = {};
	uint64_t pcs[LT_MAX_FRAMES];
	unsigned int i, n = 0;

	memset(w, 0, sizeof(*w));
	w->finished = true;
	w->end = finisher__walk(c->finisher, m, &copy, pcs, interrupted, LT_MAX_FRAMES, &n, &w->flags);
	for (i = 0; i < n && pcs[i]; i++) {
		struct frame *f = &w->frames[i];
		const struct mapping *at;

		f->pc = pcs[i];
		f->is_return_address = i > 0 && !interrupted[i];
		at = mappings__find(m, f->pc - f->is_return_address);
		name_place(c, at, f);
		if (in_time || is_certain(kernel, i, f, at, epoch))
			continue;
		memset(f, 0, sizeof(*f));
		w->end = LT_END_STALE;
		break;
	}
	w->n = i;
}

/* Take what b has found if that is more. What the kernel side is not sure of is worth nothing. */
static void take_better(struct walked *a, const struct walked *b)
{
	bool nothing = a->end == LT_END_STALE && !a->finished;

	if (b->n && (nothing || b->n > a->n || (b->n == a->n && b->end == LT_END_WHOLE)))
		*a = *b;
	else if (b->end == LT_END_STALE && !a->finished)
		a->end = LT_END_STALE;
}

/* By a reading of the mappings that is of the time, if there is one; else, or if more was loaded since, by one of now.
 */
static void finish(struct walked *w, const struct walk_context *c, struct image *img, const struct lt_rec_partial *rec)
{
	const struct walked kernel = *w;
	/* A program that has just begun, whose mappings nobody had read yet, has them still. */
	uint32_t epoch = rec->stale == LT_NO_EPOCH ? img->first_epoch : rec->stale;
	const struct mappings *then = img->epoch == epoch	    ? &img->mappings
				      : img->earlier_epoch == epoch ? &img->earlier
								    : NULL;
	struct walked found;

	if (then) {
		walk_copy(&found, c, then, true, epoch, rec, &kernel);
		take_better(w, &found);
	}
	/* Nothing would be new in the second try. */
	if (w->end == LT_END_WHOLE || (then == &img->mappings && !img->mappings_stale))
		return;
	image__refresh_mappings(img, c->images);
	walk_copy(&found, c, &img->mappings, img->epoch == epoch, epoch, rec, &kernel);
	take_better(w, &found);
}

int walked__read(struct walked *w, const struct walk_context *c, struct image *img, const struct lt_rec_stack *rec,
		 size_t size)
{
	if (!is_complete(rec, size))
		return -EPROTO;
	take_record(w, c, img, rec);
	if (rec->type == LT_REC_PARTIAL)
		finish(w, c, img, (const struct lt_rec_partial *)rec);
	return 0;
}
