/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>

#include "unwind/arch.h"
#include "unwind/cfa_machine.h"

#ifndef DW_CFA_AARCH64_negate_ra_state_with_pc
#define DW_CFA_AARCH64_negate_ra_state_with_pc 0x2c
#endif

static struct cfi_rule *rule_of(struct cfa_machine *m, uint64_t reg)
{
	if (reg == ARCH_FP)
		return &m->state.regs[CFI_FP];
	if (reg == ARCH_PC)
		return &m->state.regs[CFI_RA];
	if (reg == ARCH_SP)
		return &m->state.regs[CFI_SP];
	return NULL;
}

static void set_rule(struct cfa_machine *m, uint64_t reg, enum cfi_how how, uint64_t offset)
{
	struct cfi_rule *rule = rule_of(m, reg);

	if (rule)
		*rule = (struct cfi_rule){.how = how, .offset = (int64_t)offset};
}

/* False in a CIE: it defines what is restored. */
static bool restore(struct cfa_machine *m, uint64_t reg)
{
	struct cfi_rule *rule = rule_of(m, reg);

	if (rule)
		*rule = m->cie->initial.regs[rule - m->state.regs];
	return m->cie->ran;
}

/* The offset of a register's rule: products wrap around, as nonsense may. */
static uint64_t factored(const struct cfa_machine *m, uint64_t n)
{
	return n * (uint64_t)m->cie->data_factor;
}

static uint64_t unsigned_operand(struct cfa_machine *m)
{
	return reader__uleb(&m->program);
}

static uint64_t signed_operand(struct cfa_machine *m)
{
	return (uint64_t)reader__sleb(&m->program);
}

static bool set_expression(struct cfa_machine *m, uint64_t reg, enum cfi_how how)
{
	uint64_t n = unsigned_operand(m);
	const uint8_t *bytes = reader__take(&m->program, n);
	struct cfi_rule *rule = rule_of(m, reg);

	if (rule && bytes)
		*rule = (struct cfi_rule){.how = how, .size = (uint32_t)n, .expression = bytes};
	return bytes;
}

/* Instructions about one register; the first operand is its number. */
static bool register_instruction(struct cfa_machine *m, uint8_t op)
{
	uint64_t reg = unsigned_operand(m);

	switch (op) {
	case DW_CFA_offset_extended:
		set_rule(m, reg, CFI_OFFSET, factored(m, unsigned_operand(m)));
		return true;
	case DW_CFA_offset_extended_sf:
		set_rule(m, reg, CFI_OFFSET, factored(m, signed_operand(m)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		set_rule(m, reg, CFI_OFFSET, -factored(m, unsigned_operand(m)));
		return true;
	case DW_CFA_val_offset:
		set_rule(m, reg, CFI_VAL_OFFSET, factored(m, unsigned_operand(m)));
		return true;
	case DW_CFA_val_offset_sf:
		set_rule(m, reg, CFI_VAL_OFFSET, factored(m, signed_operand(m)));
		return true;
	case DW_CFA_undefined:
		set_rule(m, reg, CFI_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		set_rule(m, reg, CFI_SAME, 0);
		return true;
	case DW_CFA_register:
		set_rule(m, reg, CFI_REGISTER, unsigned_operand(m));
		return true;
	case DW_CFA_restore_extended:
		return restore(m, reg);
	case DW_CFA_expression:
		return set_expression(m, reg, CFI_EXPRESSION);
	case DW_CFA_val_expression:
		return set_expression(m, reg, CFI_VAL_EXPRESSION);
	default:
		return false;
	}
}

static bool cfa_expression(struct cfi_state *s, struct reader *r)
{
	uint64_t n = reader__uleb(r);

	s->cfa = CFI_CFA_EXPRESSION;
	s->expression = reader__take(r, n);
	s->size = (uint32_t)n;
	return s->expression;
}

/*
 * Instructions about the frame address. As for libgcc, one that changes half of register + offset keeps the other half,
 * even if an expression came between: assembly code (libgcrypt) counts on it.
 */
static bool cfa_instruction(struct cfa_machine *m, uint8_t op)
{
	struct cfi_state *s = &m->state;

	switch (op) {
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
		s->cfa = CFI_CFA_REGISTER;
		s->reg = unsigned_operand(m);
		s->offset = (int64_t)(op == DW_CFA_def_cfa ? unsigned_operand(m) : factored(m, signed_operand(m)));
		return true;
	case DW_CFA_def_cfa_register:
		s->cfa = CFI_CFA_REGISTER;
		s->reg = unsigned_operand(m);
		return true;
	case DW_CFA_def_cfa_offset:
		s->offset = (int64_t)unsigned_operand(m);
		return true;
	case DW_CFA_def_cfa_offset_sf:
		s->offset = (int64_t)factored(m, signed_operand(m));
		return true;
	default:
		return cfa_expression(s, &m->program);
	}
}

/* What holds from here on is for code that lies `delta` units further. */
static bool advance(struct cfa_machine *m, uint64_t delta)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(delta, m->cie->code_factor, &bytes) || bytes > m->end - m->to)
		bytes = m->end - m->to;
	m->to += bytes;
	return true;
}

static bool set_location(struct cfa_machine *m)
{
	uint64_t here = m->section->address + (uint64_t)(m->program.at - m->section->bytes);
	uint64_t to;

	if (!cfi__pointer(&m->program, m->cie->encoding, here, NULL, &to) || to < m->to)
		return false;
	m->to = to < m->end ? to : m->end;
	return true;
}

static bool remember(struct cfa_machine *m)
{
	if (m->n_remembered == CFA_MAX_REMEMBERED)
		return false;
	m->remembered[m->n_remembered++] = m->state;
	return true;
}

/* The frame address, too, as GCC means it. */
static bool recall(struct cfa_machine *m)
{
	if (!m->n_remembered)
		return false;
	m->state = m->remembered[--m->n_remembered];
	return true;
}

static bool long_instruction(struct cfa_machine *m, uint8_t op)
{
	switch (op) {
	case DW_CFA_nop:
	case DW_CFA_GNU_window_save: /* aarch64: negate_ra_state */
	case DW_CFA_AARCH64_negate_ra_state_with_pc:
		return true;
	case DW_CFA_GNU_args_size:
		unsigned_operand(m);
		return true;
	case DW_CFA_set_loc:
		return set_location(m);
	case DW_CFA_advance_loc1:
		return advance(m, reader__u8(&m->program));
	case DW_CFA_advance_loc2:
		return advance(m, reader__u16(&m->program));
	case DW_CFA_advance_loc4:
		return advance(m, reader__u32(&m->program));
	case DW_CFA_MIPS_advance_loc8:
		return advance(m, reader__u64(&m->program));
	case DW_CFA_remember_state:
		return remember(m);
	case DW_CFA_restore_state:
		return recall(m);
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_def_cfa_expression:
		return cfa_instruction(m, op);
	default:
		return register_instruction(m, op);
	}
}

static bool instruction(struct cfa_machine *m)
{
	uint8_t op = reader__u8(&m->program), low = op & 0x3f;

	switch (op & 0xc0) {
	case DW_CFA_advance_loc:
		return advance(m, low);
	case DW_CFA_offset:
		set_rule(m, low, CFI_OFFSET, factored(m, unsigned_operand(m)));
		return true;
	case DW_CFA_restore:
		return restore(m, low);
	default:
		return long_instruction(m, op);
	}
}

/* Up to the next instruction that moves on, or the end. */
static bool run(struct cfa_machine *m)
{
	while (m->program.at < m->program.end && m->to == m->from) {
		if (!instruction(m) || m->program.failed)
			return false;
	}
	return true;
}

static void fail(struct cfa_machine *m)
{
	m->failed = true;
	m->state.cfa = CFI_CFA_NONE;
	m->program.at = m->program.end;
}

static void run_cie(struct cfa_machine *m, struct cfi_cie *cie)
{
	/* No place to advance to: run() goes on up to the end. */
	m->from = m->to = m->end = 0;
	m->program = reader__of(cie->program.bytes, cie->program.n);
	m->state = (struct cfi_state){};
	cie->broken = !run(m);
	cie->initial = m->state;
	cie->ran = true;
}

void cfa_machine__start(struct cfa_machine *m, struct cfi_section *s, const struct cfi_fde *fde)
{
	m->section = s;
	m->cie = fde->cie;
	m->n_remembered = 0;
	if (!fde->cie->ran) {
		run_cie(m, fde->cie);
		s->work += fde->cie->program.n;
		m->n_remembered = 0;
	}
	m->failed = false;
	m->from = m->to = fde->start;
	m->end = fde->end;
	m->program = reader__of(fde->program.bytes, fde->program.n);
	m->state = fde->cie->initial;
	s->work += fde->program.n;
	if (fde->cie->broken)
		fail(m);
}

bool cfa_machine__next(struct cfa_machine *m)
{
	m->from = m->to;
	if (m->from >= m->end)
		return false;
	if (!run(m))
		fail(m);
	if (m->to == m->from || m->failed)
		m->to = m->end;
	return true;
}
