/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "collect/stacks.h"

int stacks__init(struct stacks *s, uint64_t n_sites)
{
	s->by_site = calloc(n_sites, sizeof(*s->by_site));
	s->n = n_sites;
	return s->by_site ? 0 : -ENOMEM;
}

void stacks__free(struct stacks *s)
{
	uint64_t i;

	for (i = 0; s->by_site && i < s->n; i++)
		free(s->by_site[i].frames);
	free(s->by_site);
}

static bool is_complete(const struct lt_rec_stack *rec, size_t size)
{
	size_t head = offsetof(struct lt_rec_stack, frames);

	return size >= head && rec->start <= 1 && rec->n <= LT_MAX_FRAMES &&
	       size >= head + (size_t)(rec->start + rec->n) * sizeof(rec->frames[0]);
}

int stacks__add(struct stacks *s, struct images *images, const struct lt_rec_stack *rec, size_t size)
{
	struct stack *stack;
	struct image *img;
	unsigned int index;
	uint16_t i;

	if (!is_complete(rec, size) || rec->site >= s->n)
		return -EPROTO;
	stack = &s->by_site[rec->site];
	img = images__by_slot(images, rec->slot, &index);
	if (stack->frames || !img)
		return 0;
	stack->frames = calloc(rec->n ? rec->n : 1, sizeof(*stack->frames));
	if (!stack->frames)
		return -ENOMEM;
	stack->cut = rec->n >= LT_MAX_FRAMES - 1;
	/* A chain of frame pointers often ends in a zero return address. */
	for (i = 0; i < rec->n && rec->frames[rec->start + i]; i++) {
		struct frame *f = &stack->frames[i];
		const struct mapping *at;

		f->pc = rec->frames[rec->start + i];
		f->is_return_address = i > 0;
		at = image__find(img, images->modules, f->pc - f->is_return_address);
		if (!at || !at->module)
			continue;
		f->module = at->module;
		f->offset = f->pc - at->start + at->offset;
	}
	stack->n = i;
	return 0;
}
