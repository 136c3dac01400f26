/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "probe/plan_making.h"

#define MAX_FRAGMENT (64u << 10)

/* Another function: its symbol has no suffix that compilers give to parts (malloc.cold). */
static int is_function(const struct elf_fn *f, void *ctx)
{
	return f->vaddr == *(uint64_t *)ctx && !strchr(f->name, '.');
}

static struct code fragment(void *ctx, uint64_t vaddr)
{
	struct making *mk = ctx;
	struct code c = {.vaddr = vaddr};
	unsigned char **bytes;
	uint64_t start, end;

	if (elf_image__each_function(mk->img, is_function, &vaddr) || elf_image__piece(mk->img, vaddr, &start, &end) ||
	    end - start > MAX_FRAGMENT)
		return c;
	bytes = vec__add(&mk->fragments);
	return bytes ? making__read_code(mk, start, end - start, bytes) : c;
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
					  family_fn__shown(other->fn.fn));
			dropped = true;
			break;
		}
	}
	return dropped;
}

int making__find_exits(struct making *mk)
{
	const struct exits_source from = {.fragment = fragment, .is_probed = is_probed, .ctx = mk};
	struct candidate *c;

	vec__each (&mk->fns, c) {
		if (c->fn.returns != PLAN_RETURN_INSNS)
			continue;
		c->err = exits__find(&c->exits, &c->code, &from, &c->why_not);
		if (c->err == -ENOMEM)
			return c->err;
	}
	while (drop_dependents(mk))
		;
	return 0;
}
