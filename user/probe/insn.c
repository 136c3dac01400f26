/* SPDX-License-Identifier: GPL-2.0-only */
#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

#include "probe/insn.h"

struct decoded {
	ZydisDecodedInstruction in;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
};

static bool decode(struct decoded *d, const unsigned char *bytes, size_t n)
{
	ZydisDecoder decoder;

	return ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, n, &d->in, d->ops));
}

uint8_t insn__argument(unsigned int n)
{
	static const uint8_t registers[] = {GPR_RDI, GPR_RSI, GPR_RDX, GPR_RCX, GPR_R8, GPR_R8 + 1};

	return n < sizeof(registers) ? registers[n] : INSN_NO_REG;
}

/* Number of the general register that a register is a part of, or INSN_NO_REG. */
static uint8_t general(ZydisRegister reg)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	return whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15 ? (uint8_t)(whole - ZYDIS_REGISTER_RAX)
									  : INSN_NO_REG;
}

static uint32_t writes(const struct decoded *d)
{
	uint32_t mask = 0;
	uint8_t reg, i;

	for (i = 0; i < d->in.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->ops[i];

		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER || !(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		reg = general(op->reg.value);
		if (reg != INSN_NO_REG)
			mask |= 1u << reg;
	}
	return mask;
}

static uint32_t bit_of(ZydisRegister reg)
{
	uint8_t number = general(reg);

	return number == INSN_NO_REG ? 0 : 1u << number;
}

static uint32_t reads(const struct decoded *d, bool *indexed)
{
	uint32_t mask = 0;
	uint8_t i;

	for (i = 0; i < d->in.operand_count; i++) {
		const ZydisDecodedOperand *op = &d->ops[i];

		if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
			mask |= bit_of(op->reg.value);
		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		mask |= bit_of(op->mem.base) | bit_of(op->mem.index);
		*indexed |= op->mem.index != ZYDIS_REGISTER_NONE;
	}
	return mask;
}

/* A jump or call operand: relative, by a word at a fixed address, or by anything else. */
static enum insn_flow jump_kind(const struct decoded *d)
{
	const ZydisDecodedOperand *op = &d->ops[0];

	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return op->imm.is_relative ? INSN_JUMP
					   : INSN_NEXT; /* xabort, which leads nowhere outside a transaction */
	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.base == ZYDIS_REGISTER_RIP &&
	    op->mem.index == ZYDIS_REGISTER_NONE)
		return INSN_JUMP_POINTER;
	return INSN_JUMP_ANYWHERE;
}

static enum insn_flow flow(const struct decoded *d)
{
	switch (d->in.meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		return d->ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? INSN_BRANCH : INSN_NEXT; /* xend */
	case ZYDIS_CATEGORY_UNCOND_BR:
		return jump_kind(d);
	case ZYDIS_CATEGORY_CALL:
		return INSN_CALL;
	case ZYDIS_CATEGORY_RET:
		return INSN_RETURN;
	default:
		break;
	}
	switch (d->in.mnemonic) {
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
		return INSN_END;
	case ZYDIS_MNEMONIC_XBEGIN: /* goes on, or to where it aborts to */
		return INSN_BRANCH;
	default:
		return INSN_NEXT;
	}
}

/*
 * What the kernel emulates: nop, jmp and jcc without a 16-bit prefix, and push of a register, with nothing but
 * REX.B before it. (It emulates calls too. They are left alone: an emulated call writes no shadow stack on kernels that
 * know those.) Multi-byte nops are emulated by the newest kernels only, and some kernels refuse them.
 */
static bool is_emulated(const unsigned char *b, const ZydisDecodedInstruction *in)
{
	if (in->length == 1)
		return b[0] == 0x90 || (b[0] >= 0x50 && b[0] <= 0x57);
	if (in->length == 2 && b[0] == 0x41 && b[1] >= 0x50 && b[1] <= 0x57)
		return true;
	if (b[0] == 0xeb || (b[0] >= 0x70 && b[0] <= 0x7f))
		return in->length == 2;
	if (b[0] == 0xe9)
		return in->length == 5;
	return b[0] == 0x0f && b[1] >= 0x80 && b[1] <= 0x8f && in->length == 6;
}

static bool is_sp(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->reg.value == ZYDIS_REGISTER_RSP;
}

/* By how much the stack pointer moves, where that is plain to see. */
static void stack_move(struct insn *i, const struct decoded *d)
{
	const ZydisDecodedOperand *ops = d->ops;
	bool by_constant =
		d->in.operand_count_visible == 2 && is_sp(&ops[0]) && ops[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

	i->moves_sp = i->writes & 1u << GPR_RSP;
	if (!i->moves_sp)
		return;
	i->sp_known = true;
	if ((d->in.mnemonic == ZYDIS_MNEMONIC_PUSH || d->in.mnemonic == ZYDIS_MNEMONIC_PUSHFQ) &&
	    d->in.operand_width == 64) {
		i->sp_moves = -8;
	} else if (d->in.mnemonic == ZYDIS_MNEMONIC_POP && d->in.operand_width == 64 && !is_sp(&ops[0])) {
		i->sp_moves = 8;
	} else if (d->in.mnemonic == ZYDIS_MNEMONIC_SUB && by_constant && ops[1].imm.value.s > -(1 << 30) &&
		   ops[1].imm.value.s < 1 << 30) {
		i->sp_moves = -(int32_t)ops[1].imm.value.s;
	} else if (d->in.mnemonic == ZYDIS_MNEMONIC_ADD && by_constant && ops[1].imm.value.s > -(1 << 30) &&
		   ops[1].imm.value.s < 1 << 30) {
		i->sp_moves = (int32_t)ops[1].imm.value.s;
	} else {
		i->sp_known = false;
	}
}

static uint8_t tested(const struct decoded *d)
{
	const ZydisDecodedOperand *ops = d->ops;

	if (d->in.mnemonic != ZYDIS_MNEMONIC_TEST || d->in.operand_width != 64 ||
	    ops[0].type != ZYDIS_OPERAND_TYPE_REGISTER || ops[1].type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    ops[0].reg.value != ops[1].reg.value)
		return INSN_NO_REG;
	return general(ops[0].reg.value);
}

/* "mov %rdi, %rax" and the like. */
static void copy(struct insn *i, const struct decoded *d)
{
	const ZydisDecodedOperand *ops = d->ops;

	i->copy_of = i->copy_to = INSN_NO_REG;
	if (d->in.mnemonic != ZYDIS_MNEMONIC_MOV || d->in.operand_width != 64 ||
	    ops[0].type != ZYDIS_OPERAND_TYPE_REGISTER || ops[1].type != ZYDIS_OPERAND_TYPE_REGISTER)
		return;
	i->copy_to = general(ops[0].reg.value);
	i->copy_of = general(ops[1].reg.value);
	if (i->copy_to == INSN_NO_REG || i->copy_to == GPR_RSP || i->copy_of == GPR_RSP)
		i->copy_of = INSN_NO_REG;
}

/* Where a jump or call leads: the place, or the address of a word that holds it. */
static void set_target(struct insn *i, const struct decoded *d, uint64_t vaddr)
{
	const ZydisDecodedOperand *op = &d->ops[0];
	uint64_t at;

	if (i->flow != INSN_BRANCH && i->flow != INSN_JUMP && i->flow != INSN_JUMP_POINTER && i->flow != INSN_CALL)
		return;
	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	    (op->mem.base != ZYDIS_REGISTER_RIP || op->mem.index != ZYDIS_REGISTER_NONE))
		return;
	if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&d->in, op, vaddr, &at)))
		return;
	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		i->target = at;
	else if (op->type == ZYDIS_OPERAND_TYPE_MEMORY)
		i->pointer = at;
}

bool insn__decode(struct insn *i, const unsigned char *bytes, size_t n, uint64_t vaddr)
{
	struct decoded d;

	memset(i, 0, sizeof(*i));
	i->tests = i->copy_of = i->copy_to = INSN_NO_REG;
	if (!decode(&d, bytes, n))
		return false;
	i->length = d.in.length;
	i->flow = flow(&d);
	i->is_nop = d.in.mnemonic == ZYDIS_MNEMONIC_NOP;
	i->writes = writes(&d);
	i->emulated = is_emulated(bytes, &d.in);
	i->tests = tested(&d);
	i->if_zero = d.in.mnemonic == ZYDIS_MNEMONIC_JZ;
	i->reads = reads(&d, &i->indexed);
	i->loads = d.in.mnemonic == ZYDIS_MNEMONIC_MOV && d.in.operand_width == 64 && i->writes && !i->indexed &&
		   d.ops[1].type == ZYDIS_OPERAND_TYPE_MEMORY;
	copy(i, &d);
	stack_move(i, &d);
	set_target(i, &d, vaddr);
	return true;
}

static bool format(const struct decoded *d, uint64_t vaddr, char *buf, size_t size)
{
	static const ZydisFormatterProperty shorter[] = {
		ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
		ZYDIS_FORMATTER_PROP_ADDR_PADDING_RELATIVE,
		ZYDIS_FORMATTER_PROP_DISP_PADDING,
		ZYDIS_FORMATTER_PROP_IMM_PADDING,
	};
	ZydisFormatter f;
	size_t i;

	if (!ZYAN_SUCCESS(ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_ATT)))
		return false;
	for (i = 0; i < sizeof(shorter) / sizeof(shorter[0]); i++)
		ZydisFormatterSetProperty(&f, shorter[i], ZYDIS_PADDING_DISABLED);
	ZydisFormatterSetProperty(&f, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
	return ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&f, &d->in, d->ops, d->in.operand_count_visible, buf, size,
							    vaddr, NULL));
}

char *insn__text(const unsigned char *bytes, size_t n, uint64_t vaddr, char *buf, size_t size)
{
	struct decoded d;

	if (!decode(&d, bytes, n) || !format(&d, vaddr, buf, size))
		snprintf(buf, size, "?");
	return buf;
}
