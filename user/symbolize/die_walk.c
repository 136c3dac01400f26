/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>

#include "symbolize/die_walk.h"

/* Real trees stay below half of this (templates inlined into templates). */
#define MAX_DEPTH 256

static bool may_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
	case DW_TAG_inlined_subroutine:
		return true;
	default:
		return false;
	}
}

static void add_ranges(Dwarf_Die *die, struct spans *out, struct work_limit *limit)
{
	Dwarf_Addr base, lo, hi;
	ptrdiff_t next = 0;

	while ((next = dwarf_ranges(die, next, &base, &lo, &hi)) > 0) {
		if (work_limit__exceeded(limit))
			return;
		spans__add(out, lo, hi, dwarf_dieoffset(die));
	}
}

static void functions_below(Dwarf_Die *parent, struct spans *out, struct work_limit *limit, unsigned int depth)
{
	Dwarf_Die die;

	if (depth >= MAX_DEPTH || dwarf_child(parent, &die))
		return;
	do {
		int tag = dwarf_tag(&die);

		if (out->full || work_limit__exceeded(limit))
			return;
		if (tag == DW_TAG_subprogram)
			add_ranges(&die, out, limit);
		if (may_hold_functions(tag))
			functions_below(&die, out, limit, depth + 1);
	} while (!dwarf_siblingof(&die, &die));
}

void die_walk__functions(Dwarf_Die *unit, struct spans *out, struct work_limit *limit)
{
	functions_below(unit, out, limit, 0);
}

struct inlined_walk {
	Dwarf_Addr pc;
	Dwarf_Die *out;
	unsigned int n;
	struct work_limit *limit;
};

static bool has_ranges(Dwarf_Die *die)
{
	return dwarf_hasattr(die, DW_AT_low_pc) || dwarf_hasattr(die, DW_AT_ranges);
}

/* True when an inlined call around pc was found below parent: there is at most one path to it. */
static bool inlined_below(struct inlined_walk *w, Dwarf_Die *parent, unsigned int depth)
{
	Dwarf_Die die;

	if (depth >= MAX_DEPTH || w->n >= MAX_INLINED || dwarf_child(parent, &die))
		return false;
	do {
		int tag = dwarf_tag(&die);

		if (work_limit__exceeded(w->limit))
			return false;
		if (tag == DW_TAG_inlined_subroutine && dwarf_haspc(&die, w->pc) > 0) {
			w->out[w->n++] = die;
			inlined_below(w, &die, depth + 1);
			return true;
		}
		if (tag != DW_TAG_lexical_block && tag != DW_TAG_try_block && tag != DW_TAG_catch_block)
			continue;
		/* A block need not say where its code is; then only a look inside tells. */
		if ((!has_ranges(&die) || dwarf_haspc(&die, w->pc) > 0) && inlined_below(w, &die, depth + 1))
			return true;
	} while (!dwarf_siblingof(&die, &die));
	return false;
}

unsigned int die_walk__inlined(Dwarf_Die *function, Dwarf_Addr pc, Dwarf_Die out[MAX_INLINED], struct work_limit *limit)
{
	struct inlined_walk w = {.pc = pc, .out = out, .limit = limit};

	inlined_below(&w, function, 0);
	return w.n;
}
