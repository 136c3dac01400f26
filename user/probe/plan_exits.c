/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "probe/plan_making.h"

#define MAX_FRAGMENT (64u << 10)

struct code making__fragment(void *making, uint64_t vaddr)
{
	struct making *mk = making;
	struct code c = {.vaddr = vaddr};
	unsigned char **bytes;
	uint64_t start, end;

	if (elf_image__piece(mk->img, vaddr, &start, &end) || end - start > MAX_FRAGMENT)
		return c;
	bytes = vec__add(&mk->fragments);
	return bytes ? making__read_code(mk, start, end - start, bytes) : c;
}

/* A function by its name. */
struct wanted {
	const char *name;
	uint64_t vaddr;
};

static int take_named(const struct elf_fn *f, void *ctx)
{
	struct wanted *w = ctx;

	if (strcmp(f->name, w->name))
		return 0;
	w->vaddr = f->vaddr;
	return 1;
}

/*
 * A function that the loader binds by name is this module's own, if it has one. Another might define it first; what
 * returns there is then never seen, and counted as a loss.
 */
static uint64_t pointer(void *ctx, uint64_t vaddr)
{
	struct making *mk = ctx;
	struct wanted w = {.name = elf_image__slot(mk->img, vaddr)};

	if (!w.name || !*w.name || !mk->names_left)
		return 0;
	mk->names_left--;
	elf_image__each_function(mk->img, take_named, &w);
	return w.vaddr;
}

static bool is_probed(void *ctx, uint64_t vaddr)
{
	struct candidate *c = making__candidate(ctx, vaddr);

	return c && !c->err && c->fn.returns == PLAN_RETURN_INSNS;
}

/* A function that ends in a jump to one that is left out is left out. */
static bool drop_dependents(struct making *mk)
{
	struct candidate *c, *other;
	bool dropped = false;
	uint64_t *jump;

	vec__each (&mk->fns, c) {
		if (c->err || c->fn.returns != PLAN_RETURN_INSNS)
			continue;
		vec__each (&c->exits.jumps.list, jump) {
			other = making__candidate(mk, *jump);
			if (!other->err)
				continue;
			c->err = err__set(&c->why_not, -ENOTSUP,
					  "it ends in a jump to %s, the returns of which cannot be seen",
					  other->fn.name);
			dropped = true;
			break;
		}
	}
	return dropped;
}

int making__find_exits(struct making *mk)
{
	const struct exits_source from = {
		.fragment = making__fragment, .is_probed = is_probed, .pointer = pointer, .ctx = mk};
	struct candidate *c;

	vec__each (&mk->fns, c) {
		if (c->err || c->fn.returns != PLAN_RETURN_INSNS)
			continue;
		c->err = exits__find(&c->exits, &c->code, &from, &c->why_not);
		if (!c->err && !c->exits.rets.list.n && !c->exits.jumps.list.n)
			c->err = err__set(&c->why_not, -ENOTSUP, "it never returns");
		if (c->err == -ENOMEM)
			return c->err;
	}
	while (drop_dependents(mk))
		;
	return 0;
}

static const struct candidate *probed_at(struct making *mk, uint64_t vaddr)
{
	const struct candidate *c;

	vec__each (&mk->fns, c) {
		if (!c->err && c->fn.vaddr + c->fn.place.offset == vaddr)
			return c;
	}
	return NULL;
}

/* A free() that does nothing may be a ret alone. */
void making__check_rets(struct making *mk)
{
	const struct candidate *at;
	struct candidate *c;
	uint64_t *ret;

	vec__each (&mk->fns, c) {
		vec__each (&c->exits.rets.list, ret) {
			at = c->err ? NULL : probed_at(mk, *ret);
			if (at)
				c->err = err__set(&c->why_not, -ENOTSUP,
						  "it returns at the instruction where %s is probed", at->fn.name);
		}
	}
	while (drop_dependents(mk))
		;
}
