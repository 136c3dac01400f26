/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>
#include <string.h>

#include "unwind/cfi_program.h"
#include "unwind/arch.h"

/* Far above what the largest functions have. */
#define MAX_PROGRAM    (256u << 10)
#define MAX_REMEMBERED 64
#define MAX_EXPRESSION 1024

static bool take(struct cfi_bytes *b, uint64_t n)
{
	if (b->bad || n > (uint64_t)(b->end - b->at)) {
		b->bad = true;
		b->at = b->end;
		return false;
	}
	b->at += n;
	return true;
}

uint8_t cfi_bytes__u8(struct cfi_bytes *b)
{
	return take(b, 1) ? b->at[-1] : 0;
}

uint32_t cfi_bytes__u32(struct cfi_bytes *b)
{
	uint32_t v = 0;

	if (take(b, sizeof(v)))
		memcpy(&v, b->at - sizeof(v), sizeof(v));
	return v;
}

uint64_t cfi_bytes__u64(struct cfi_bytes *b)
{
	uint64_t v = 0;

	if (take(b, sizeof(v)))
		memcpy(&v, b->at - sizeof(v), sizeof(v));
	return v;
}

uint64_t cfi_bytes__leb128(struct cfi_bytes *b)
{
	unsigned int shift;
	uint64_t v = 0;

	for (shift = 0; shift < 70; shift += 7) {
		uint8_t byte = cfi_bytes__u8(b);

		v |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 63);
		if (!(byte & 0x80))
			return v;
	}
	b->bad = true;
	return 0;
}

void cfi_bytes__skip(struct cfi_bytes *b, uint64_t n)
{
	take(b, n);
}

struct cfi_bytes cfi_bytes__part(struct cfi_bytes *b, uint64_t n)
{
	struct cfi_bytes part = {.at = b->at};

	part.bad = !take(b, n);
	if (part.bad)
		part.at = b->at;
	part.end = b->at;
	return part;
}

const char *cfi_bytes__string(struct cfi_bytes *b, size_t max)
{
	const uint8_t *at = b->at;
	size_t len = strnlen((const char *)at, (size_t)(b->end - at));

	return len <= max && take(b, len + 1) ? (const char *)at : NULL;
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

static bool check_register(struct cfi_bytes *b)
{
	return cfi_bytes__leb128(b) <= ARCH_MAX_COLUMN;
}

static bool skip_block(struct cfi_bytes *b)
{
	uint64_t length = cfi_bytes__leb128(b);

	cfi_bytes__skip(b, length);
	return length <= MAX_EXPRESSION;
}

static bool check_operands(struct cfi_bytes *b, enum operands what, uint8_t pointer_size)
{
	switch (what) {
	case ONE_BYTE:
	case TWO_BYTES:
	case FOUR_BYTES:
	case EIGHT_BYTES:
		cfi_bytes__skip(b, 1u << (what - ONE_BYTE));
		return true;
	case POINTER:
		cfi_bytes__skip(b, pointer_size);
		return true;
	case NUMBERS:
		cfi_bytes__leb128(b);
		cfi_bytes__leb128(b);
		return true;
	case NUMBER:
		cfi_bytes__leb128(b);
		return true;
	case REGISTER:
		return check_register(b);
	case REGISTER_NUMBER:
		return check_register(b) && (cfi_bytes__leb128(b), true);
	case BLOCK:
		return skip_block(b);
	case REGISTER_BLOCK:
		return check_register(b) && skip_block(b);
	default: /* NOTHING */
		return true;
	}
}

bool cfi_program__check(struct cfi_bytes b, uint8_t pointer_size)
{
	unsigned int remembered = 0;

	if (b.bad || b.end - b.at > MAX_PROGRAM)
		return false;
	while (b.at < b.end) {
		uint8_t op = cfi_bytes__u8(&b);

		if (op >= DW_CFA_advance_loc) {
			/* advance_loc and restore have their operand in the byte. */
			if ((op & 0xc0) == DW_CFA_offset)
				cfi_bytes__leb128(&b);
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
	return !b.bad;
}
