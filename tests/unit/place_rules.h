/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * place_rules: what must hold of any place that was chosen, found by another way than place.c goes: each register has
 * the number of a value, a new one when it is written. For unit tests and for the fuzzer.
 */
#pragma once

#include <string.h>

#include "probe/place.h"

/* arch/x86/kernel/uprobes.c, as far as leaktrace uses it: push of a register, nop, jmp, jcc. */
static inline bool kernel_emulates(const unsigned char *b, size_t n)
{
	if (n >= 2 && b[0] == 0x41)
		return (b[1] & 0xf8) == 0x50;
	return n && ((b[0] & 0xf8) == 0x50 || b[0] == 0x90 || b[0] == 0xeb || b[0] == 0xe9 || (b[0] & 0xf0) == 0x70 ||
		     (n >= 2 && b[0] == 0x0f && (b[1] & 0xf0) == 0x80));
}

struct value_walk {
	uint32_t at;
	uint32_t value[16]; /* below 16: that of this register at the entry */
	uint32_t next;
	int64_t sp;
	bool sp_known;
	uint32_t tested; /* the value that was compared with zero just now */
	bool tests_zero, passed_test;
};

static inline void value_walk__begin(struct value_walk *w)
{
	uint32_t reg;

	memset(w, 0, sizeof(*w));
	w->next = 16;
	w->sp_known = true;
	for (reg = 0; reg < 16; reg++)
		w->value[reg] = reg;
}

static inline void value_walk__over(struct value_walk *w, const struct insn *i)
{
	uint32_t copied = i->copy_of < 16 ? w->value[i->copy_of] : 0, reg;

	w->tests_zero = i->tests < 16;
	w->tested = w->tests_zero ? w->value[i->tests] : 0;
	for (reg = 0; reg < 16; reg++) {
		if (i->writes >> reg & 1 && reg != GPR_RSP)
			w->value[reg] = w->next++;
	}
	if (i->copy_of < 16)
		w->value[i->copy_to] = copied;
	if (i->writes >> GPR_RSP & 1) {
		w->sp_known &= i->sp_known;
		w->sp += i->sp_moves;
	}
	w->at += i->length;
}

/* Over the code before the place. What is wrong, or NULL. */
static inline const char *way_violation(struct value_walk *w, const struct place *p, const struct code *code,
					const struct place_needs *needs)
{
	struct insn i;

	while (w->at < p->offset) {
		if (!insn__decode(&i, code->bytes + w->at, code->n - w->at, code->vaddr + w->at))
			return "behind something that is no instruction";
		if (i.flow == INSN_BRANCH) {
			if (!i.if_zero || !w->tests_zero || w->tested != needs->unless_zero)
				return "behind a branch that calls may take";
			w->passed_test = true;
		} else if (i.flow != INSN_NEXT) {
			return "behind the end of a straight way";
		}
		value_walk__over(w, &i);
	}
	if (w->at != p->offset)
		return "in the middle of an instruction";
	return w->passed_test == (p->why == PLACE_NOT_ZERO) ? NULL : "for another reason";
}

static inline const char *state_violation(const struct value_walk *w, const struct place *p,
					  const struct place_needs *needs)
{
	uint32_t reg;

	for (reg = 0; reg < 16; reg++) {
		uint8_t where = p->where[reg];

		if (reg != GPR_RSP && where != INSN_NO_REG && (where > 15 || w->value[where] != reg))
			return "a register's old content is elsewhere";
		if (needs->arguments >> reg & 1 && where == INSN_NO_REG)
			return "an argument is lost";
		if (needs->registers >> reg & 1 && w->value[reg] != reg)
			return "a register has changed";
	}
	if (!w->sp_known || w->sp != -(int64_t)p->sp_offset)
		return "the stack pointer is elsewhere";
	return p->sp_offset && (needs->at_entry_sp || p->sp_offset > UINT16_MAX) ? "the stack pointer has moved" : NULL;
}

/* Does a branch of the function lead behind the entry and not beyond the place? */
static inline const char *entry_violation(const struct place *p, const struct code *code)
{
	struct insn i;
	size_t at;

	for (at = 0; at < code->n; at += i.length) {
		if (!insn__decode(&i, code->bytes + at, code->n - at, code->vaddr + at))
			return "not all of the function is code";
		if (i.target > code->vaddr && i.target <= code->vaddr + p->offset)
			return "a branch leads back";
		if (i.flow == INSN_JUMP_ANYWHERE && i.indexed)
			return "a jump may lead back";
	}
	return NULL;
}

static inline const char *at_entry_violation(const struct place *p, const struct code *code)
{
	uint8_t reg;

	for (reg = 0; reg < 16; reg++) {
		if (p->where[reg] != reg)
			return "registers differ at the entry";
	}
	if (p->sp_offset)
		return "the stack pointer differs at the entry";
	if (p->emulated != (p->why == PLACE_ENTRY))
		return "emulated, and another reason";
	return p->emulated && !kernel_emulates(code->bytes, code->n) ? "not emulated" : NULL;
}

/* What is wrong with a place, or NULL. */
static inline const char *place_violation(const struct place *p, const struct code *code,
					  const struct place_needs *needs)
{
	struct value_walk w;
	const char *wrong;

	if (!p->offset)
		return at_entry_violation(p, code);
	if (!p->emulated || (p->why != PLACE_FIRST && p->why != PLACE_NOT_ZERO))
		return "stepped and not at the entry";
	if (p->offset >= code->n || !kernel_emulates(code->bytes + p->offset, code->n - p->offset))
		return "not emulated";
	value_walk__begin(&w);
	wrong = way_violation(&w, p, code, needs);
	if (!wrong)
		wrong = state_violation(&w, p, needs);
	return wrong ? wrong : entry_violation(p, code);
}
