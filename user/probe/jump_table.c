/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe/insn.h"
#include "probe/jump_table.h"
#include "probe/place.h"

/*
 * Registers that may have something that was read from a table, at any place of the function. Without regard to order,
 * and whatever is computed of it: more than are needed, never fewer.
 */
static uint32_t table_registers(const struct code *code)
{
	uint32_t found = 0, before;
	struct insn i;
	size_t at;

	do {
		before = found;
		for (at = 0; code__decode(&i, code, at); at += i.length) {
			if (i.indexed || i.reads & found)
				found |= i.writes & ~(1u << GPR_RSP);
		}
	} while (found != before);
	return found;
}

/* Registers that have, at this offset of the straight way down from the entry, what was read from a fixed place. */
static uint32_t fixed_pointers(const struct code *code, size_t until)
{
	uint32_t fixed = 0;
	struct insn i;
	size_t at;

	for (at = 0; at < until && code__decode(&i, code, at) && i.flow == INSN_NEXT; at += i.length) {
		if (i.loads && (i.reads & fixed) == i.reads)
			fixed |= i.writes;
		else
			fixed &= ~i.writes;
	}
	return at == until ? fixed : 0;
}

/* The last place before this one that is not reached from the instruction before it; and may a register change since?
 */
static size_t block_start(const struct code *code, size_t before, uint32_t reg, bool *changes)
{
	size_t start = 0, at;
	struct insn i;

	*changes = false;
	for (at = 0; at < before && code__decode(&i, code, at); at += i.length) {
		bool padding = at == start && i.is_nop;

		*changes |= i.writes & reg;
		if (!padding && (i.flow == INSN_NEXT || i.flow == INSN_BRANCH || i.flow == INSN_CALL))
			continue;
		start = at + i.length;
		*changes = false;
	}
	return start;
}

/*
 * Is the jump at this offset the call of a hook, as in glibc before 2.34? It is reached by one branch from the straight
 * way down from the entry, and its register has what was read there from a variable.
 */
static bool is_hook(const struct code *code, size_t jump, uint32_t reg)
{
	size_t start, at, from = 0, n = 0;
	struct insn i;
	bool changes;

	start = block_start(code, jump, reg, &changes);
	for (at = 0; at < code->n && code__decode(&i, code, at); at += i.length) {
		uint64_t to = i.target - code->vaddr;

		if (!i.target || to < start || to > jump)
			continue;
		if (to != start)
			return false;
		from = at;
		n++;
	}
	return n == 1 && !changes && fixed_pointers(code, from) & reg;
}

#define HOOKS_MAX 4 /* looked at in one function */

bool jump_table__may_be_in(const struct code *code)
{
	uint32_t tables = 0;
	bool have_tables = false;
	int hooks = 0;
	struct insn i;
	size_t at;

	for (at = 0; code__decode(&i, code, at); at += i.length) {
		if (i.flow != INSN_JUMP_ANYWHERE)
			continue;
		if (i.indexed)
			return true;
		/* Few functions have such a jump, and one may have very many. */
		if (!have_tables)
			tables = table_registers(code);
		have_tables = true;
		if (i.reads & tables && (++hooks > HOOKS_MAX || !is_hook(code, at, i.reads)))
			return true;
	}
	return false;
}
