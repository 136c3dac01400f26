/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "probe/plan_making.h"

#define MAX_CALLS    4096 /* of a libc to its own functions: glibc has 40 */
#define CALLEE_SAVED (1u << GPR_RBX | 1u << GPR_RBP | 0xfu << 12)

static uint32_t arg_mask(uint8_t arg)
{
	uint8_t reg = insn__argument(arg);

	return reg == INSN_NO_REG ? 0 : 1u << reg;
}

/* What a probe of this function needs. A walk up the stack begins with the caller's registers. */
static struct place_needs needs_of(const struct planned_fn *f)
{
	struct place_needs n = {
		.arguments = arg_mask(f->fn->size_arg) | arg_mask(f->fn->count_arg) | arg_mask(f->fn->ptr_arg) |
			     arg_mask(f->fn->pool_arg),
		.at_entry_sp = f->returns == PLAN_RETURN_PROBE,
		.unless_zero = INSN_NO_REG,
	};

	if (f->fn->op == LT_OP_FREE)
		n.unless_zero = insn__argument(f->fn->ptr_arg);
	else
		n.registers = CALLEE_SAVED;
	return n;
}

static void choose_places(struct making *mk)
{
	struct candidate *c;

	vec__each (&mk->fns, c) {
		struct place_needs needs = needs_of(&c->fn);

		if (c->err)
			continue;
		place__choose(&c->fn.place, &c->code, &needs);
	}
}

/*
 * Is it an instruction? What looks like a branch is often the middle of another one: numbers near zero are frequent, so
 * chance is no small one for targets nearby. Without unwind information it may be one; but a short one is not believed
 * in then: it would have to be in a neighbour, from where only hand-written code jumps. It may also be one when too
 * much code was read already.
 */
static bool is_insn(struct making *mk, const struct elf_branch *b)
{
	uint64_t vaddr = b->vaddr, start, end;
	unsigned char *bytes;
	struct code code;
	struct insn i;
	size_t at = 0;
	bool is;

	if (elf_image__piece(mk->img, vaddr, &start, &end))
		return !b->is_short;
	code = making__read_code(mk, start, end - start, &bytes);
	while (at < code.n && start + at < vaddr && code__decode(&i, &code, at))
		at += i.length;
	is = start + at <= vaddr;
	free(bytes);
	return is;
}

/* Where in a candidate, behind its entry and not beyond the place, is target? NULL: in none. */
static struct candidate *enters(struct making *mk, uint64_t target)
{
	struct candidate *c;

	/* Most are nowhere near. */
	if (target < mk->first_place || target > mk->last_place)
		return NULL;
	vec__each (&mk->fns, c) {
		if (target > c->fn.vaddr && target - c->fn.vaddr <= c->fn.place.offset)
			return c;
	}
	return NULL;
}

static int check_symbol(const struct elf_fn *f, void *ctx)
{
	struct candidate *c = enters(ctx, f->vaddr);

	if (c)
		c->entered = true;
	return 0;
}

/* The function's own jumps have been looked at. */
static void check_branch(struct making *mk, const struct elf_branch *b)
{
	struct candidate *c = enters(mk, b->target);

	if (c && !c->entered && (b->vaddr < c->fn.vaddr || b->vaddr - c->fn.vaddr >= c->fn.size))
		c->entered = is_insn(mk, b);
}

static void add_internal(struct making *mk, uint64_t start, uint64_t end)
{
	struct lt_range *r = mk->survey.code.n < MAX_CALLS ? vec__add(&mk->survey.code) : NULL;

	if (!r) {
		mk->err = mk->survey.code.n < MAX_CALLS ? -ENOMEM : -E2BIG;
		return;
	}
	r->start = start;
	r->end = end;
}

/*
 * The calls that a stripped glibc makes to its own malloc and free. Everything outside malloc.c calls them through the
 * PLT, so that a program can replace them; only malloc.c calls directly (include/stdlib.h, libc_hidden_proto). In a
 * static program the whole program calls directly, so there only the names help. musl calls directly everywhere.
 */
static void take_branch(const struct elf_branch *b, void *ctx)
{
	struct making *mk = ctx;

	check_branch(mk, b);
	/* A uprobe sees the return address: the range is that one address. */
	if (mk->survey.is_glibc_so && b->is_call && !mk->err && making__candidate(mk, b->target))
		add_internal(mk, b->next, b->next + 1);
}

/* Places behind the entry are given up where something else leads there. */
static int check_places(struct making *mk)
{
	bool moved = false, unknown = false;
	struct candidate *c;
	int err;

	mk->first_place = UINT64_MAX;
	vec__each (&mk->fns, c) {
		uint64_t place = c->fn.vaddr + c->fn.place.offset;

		if (!c->fn.place.offset)
			continue;
		moved = true;
		mk->first_place = c->fn.vaddr < mk->first_place ? c->fn.vaddr : mk->first_place;
		mk->last_place = place > mk->last_place ? place : mk->last_place;
	}
	if (moved || mk->survey.is_glibc_so) {
		elf_image__each_function(mk->img, check_symbol, mk);
		err = elf_image__each_branch(mk->img, take_branch, mk);
		if (err && mk->survey.is_glibc_so)
			return err;
		unknown = err;
	}
	vec__each (&mk->fns, c) {
		if (c->entered || (unknown && c->fn.place.offset))
			place__give_up(&c->fn.place, &c->code, unknown ? PLACE_NO_CODE : PLACE_ENTERED);
	}
	return mk->err;
}

int making__choose_places(struct making *mk)
{
	choose_places(mk);
	return check_places(mk);
}
