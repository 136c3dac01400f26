/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>

#include "unwind/cfi_program.h"
#include "unwind/arch.h"

/* Far above what the largest functions have. */
#define MAX_PROGRAM    (256u << 10)
#define MAX_REMEMBERED 64
#define MAX_EXPRESSION 1024
#define MAX_LEB128     10 /* bytes */

uint64_t cfi_program__leb128(struct reader *r)
{
	const uint8_t *start = r->at;
	uint64_t v = reader__uleb(r);

	if (r->failed || r->at - start <= MAX_LEB128)
		return v;
	r->failed = true;
	r->at = r->end;
	return 0;
}

/* What follows the byte of an instruction. */
enum operands {
	UNKNOWN = 0,
	NOTHING,
	ONE_BYTE,
	TWO_BYTES,
	FOUR_BYTES,
	EIGHT_BYTES,
	POINTER,
	NUMBER,
	NUMBERS,
	REGISTER,
	REGISTER_NUMBER,
	BLOCK,
	REGISTER_BLOCK,
};

static const uint8_t operands_of[64] = {
	[DW_CFA_nop] = NOTHING,
	[DW_CFA_set_loc] = POINTER,
	[DW_CFA_advance_loc1] = ONE_BYTE,
	[DW_CFA_advance_loc2] = TWO_BYTES,
	[DW_CFA_advance_loc4] = FOUR_BYTES,
	[DW_CFA_MIPS_advance_loc8] = EIGHT_BYTES,
	[DW_CFA_offset_extended] = REGISTER_NUMBER,
	[DW_CFA_restore_extended] = REGISTER,
	[DW_CFA_undefined] = REGISTER,
	[DW_CFA_same_value] = REGISTER,
	[DW_CFA_register] = REGISTER_NUMBER,
	[DW_CFA_remember_state] = NOTHING,
	[DW_CFA_restore_state] = NOTHING,
	[DW_CFA_def_cfa] = NUMBERS,
	[DW_CFA_def_cfa_register] = NUMBER,
	[DW_CFA_def_cfa_offset] = NUMBER,
	[DW_CFA_def_cfa_expression] = BLOCK,
	[DW_CFA_expression] = REGISTER_BLOCK,
	[DW_CFA_offset_extended_sf] = REGISTER_NUMBER,
	[DW_CFA_def_cfa_sf] = NUMBERS,
	[DW_CFA_def_cfa_offset_sf] = NUMBER,
	[DW_CFA_val_offset] = REGISTER_NUMBER,
	[DW_CFA_val_offset_sf] = REGISTER_NUMBER,
	[DW_CFA_val_expression] = REGISTER_BLOCK,
	[DW_CFA_GNU_window_save] = NOTHING,
	[DW_CFA_GNU_args_size] = NUMBER,
	[DW_CFA_GNU_negative_offset_extended] = REGISTER_NUMBER,
};

static bool check_register(struct reader *b)
{
	return cfi_program__leb128(b) <= ARCH_MAX_COLUMN;
}

static bool skip_block(struct reader *b)
{
	uint64_t length = cfi_program__leb128(b);

	reader__take(b, length);
	return length <= MAX_EXPRESSION;
}

static bool check_operands(struct reader *b, enum operands what, uint8_t pointer_size)
{
	switch (what) {
	case ONE_BYTE:
	case TWO_BYTES:
	case FOUR_BYTES:
	case EIGHT_BYTES:
		reader__take(b, 1u << (what - ONE_BYTE));
		return true;
	case POINTER:
		reader__take(b, pointer_size);
		return true;
	case NUMBERS:
		cfi_program__leb128(b);
		cfi_program__leb128(b);
		return true;
	case NUMBER:
		cfi_program__leb128(b);
		return true;
	case REGISTER:
		return check_register(b);
	case REGISTER_NUMBER:
		return check_register(b) && (cfi_program__leb128(b), true);
	case BLOCK:
		return skip_block(b);
	case REGISTER_BLOCK:
		return check_register(b) && skip_block(b);
	default: /* NOTHING */
		return true;
	}
}

bool cfi_program__check(struct reader b, uint8_t pointer_size)
{
	unsigned int remembered = 0;

	if (b.failed || b.end - b.at > MAX_PROGRAM)
		return false;
	while (b.at < b.end) {
		uint8_t op = reader__u8(&b);

		if (op >= DW_CFA_advance_loc) {
			/* advance_loc and restore have their operand in the byte. */
			if ((op & 0xc0) == DW_CFA_offset)
				cfi_program__leb128(&b);
			continue;
		}
		if (operands_of[op] == UNKNOWN)
			return true;
		if (op == DW_CFA_remember_state && ++remembered > MAX_REMEMBERED)
			return false;
		if (op == DW_CFA_restore_state && remembered)
			remembered--;
		if (!check_operands(&b, operands_of[op], pointer_size))
			return false;
	}
	return !b.failed;
}
