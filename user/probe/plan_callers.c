/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "probe/plan_making.h"

/* The search of one function. */
struct search {
	struct making *mk;
	const struct candidate *of;
	const char *callee;	 /* that ends the ways through it; of several the last */
	struct candidate *below; /* that, if it is in this module */
};

static bool releases(const struct family_fn *fn)
{
	return fn->op == LT_OP_FREE;
}

/*
 * A function of another library, by the name that the loader looks for. Whoever defines it, it is probed there, or left
 * out there with the reason.
 */
static bool is_allocator_name(struct search *s, const char *name)
{
	const struct family_fn *fn = name ? family__find(&family_malloc, name) : NULL;

	if (name && !fn)
		fn = family__find(&family_cxx, name);
	if (!fn || releases(fn) != releases(s->of->fn.fn))
		return false;
	s->callee = family_fn__shown(fn);
	return true;
}

static bool is_allocator(struct search *s, uint64_t vaddr)
{
	struct candidate *c = making__candidate(s->mk, vaddr);

	if (!c)
		return is_allocator_name(s, elf_image__stub(s->mk->img, vaddr));
	if (c == s->of || releases(c->fn.fn) != releases(s->of->fn.fn))
		return false;
	s->callee = c->fn.name;
	s->below = c;
	return true;
}

static bool ends_at(void *ctx, const struct insn *i)
{
	struct search *s = ctx;

	/* Not at a conditional jump: its other way does not pass there. */
	if (i->flow != INSN_CALL && i->flow != INSN_JUMP && i->flow != INSN_JUMP_POINTER)
		return false;
	if (i->pointer)
		return is_allocator_name(s, elf_image__slot(s->mk->img, i->pointer));
	return i->target && is_allocator(s, i->target);
}

static struct code fragment(void *ctx, uint64_t vaddr)
{
	struct search *s = ctx;

	return making__fragment(s->mk, vaddr);
}

/* Does every way from its entry to a return pass such a call? */
static bool only_calls(struct search *s, struct candidate *c)
{
	const struct exits_source from = {.fragment = fragment, .ends_at = ends_at, .ctx = s};
	struct exits x;
	struct err why;
	int err = exits__find(&x, &c->code, &from, &why);
	bool only = !err && s->callee && !x.rets.list.n;

	exits__free(&x);
	return only;
}

void making__leave_out_callers(struct making *mk)
{
	struct candidate *c;

	vec__each (&mk->fns, c) {
		struct search s = {.mk = mk, .of = c};

		if (c->fn.family != &family_cxx || !only_calls(&s, c))
			continue;
		c->counted_below = true;
		c->below = s.below;
		c->err = err__set(&c->why_not, -EALREADY, "it calls %s, where it is counted", s.callee);
	}
}

/* Is what it calls left out itself, so that it is not counted after all? */
static bool check_caller(struct candidate *c)
{
	if (!c->counted_below || !c->below || !c->below->err || c->below->counted_below)
		return false;
	c->counted_below = false;
	err__set(&c->why_not, c->err, "it calls %s, which is not hooked", c->below->fn.name);
	return true;
}

void making__check_callers(struct making *mk)
{
	struct candidate *c;
	bool found;

	do {
		found = false;
		vec__each (&mk->fns, c)
			found |= check_caller(c);
	} while (found);
}
