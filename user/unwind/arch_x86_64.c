/* SPDX-License-Identifier: GPL-2.0-only */
/* x86-64: System V psABI 1.0, 3.7 (DWARF registers), Intel SDM volume 2 (calls). */
#ifdef __x86_64__
#include <dwarf.h>

#include "unwind_abi.h"
#include "unwind/arch.h"
#include "unwind/cfi.h"
#include "unwind/reader.h"

static bool fits_offset(int64_t offset)
{
	return offset >= 0 && offset % ARCH_WORD == 0 && offset / ARCH_WORD <= LT_RULE_OFFSET_MAX;
}

/* An expression register + offset, perhaps with more behind it. */
static bool read_breg(struct reader *r, int *reg, int64_t *offset)
{
	uint8_t op = reader__u8(r);

	*reg = op - DW_OP_breg0;
	*offset = reader__sleb(r);
	return op >= DW_OP_breg0 && op <= DW_OP_breg31 && !r->failed;
}

static bool is_breg(const struct cfi_rule *rule, int reg, int64_t offset)
{
	struct reader r;
	int64_t found_offset;
	int found;

	if (rule->how != CFI_EXPRESSION)
		return false;
	r = reader__of(rule->expression, rule->size);
	return read_breg(&r, &found, &found_offset) && !reader__left(&r) && found == reg && found_offset == offset;
}

/*
 * What the linkers write for .plt: rsp + offset + ((rip & 15) >= n ? 8 : 0). The first push of an entry is behind the
 * caller's return address from byte n on.
 */
static uint32_t plt_rule(struct reader r)
{
	static const uint8_t middle[] = {DW_OP_lit15, DW_OP_and}, end[] = {DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus};
	int64_t offset, zero;
	const uint8_t *p;
	int reg, pc;

	if (!read_breg(&r, &reg, &offset) || reg != ARCH_SP || !fits_offset(offset))
		return LT_RULE_NONE;
	if (!read_breg(&r, &pc, &zero) || pc != ARCH_PC || zero || reader__left(&r) != sizeof(middle) + 1 + sizeof(end))
		return LT_RULE_NONE;
	p = r.at;
	if (memcmp(p, middle, sizeof(middle)) || memcmp(p + sizeof(middle) + 1, end, sizeof(end)))
		return LT_RULE_NONE;
	p += sizeof(middle);
	if (*p < DW_OP_lit0 || *p > DW_OP_lit15)
		return LT_RULE_NONE;
	return lt_rule_pack(LT_RULE_PLT, *p - DW_OP_lit0, (u32)(offset / ARCH_WORD));
}

/* *(register + offset) [+ added] */
static bool read_deref(struct reader r, int *reg, int64_t *offset, uint64_t *added)
{
	*added = 0;
	if (!read_breg(&r, reg, offset) || reader__u8(&r) != DW_OP_deref)
		return false;
	if (reader__left(&r) && reader__u8(&r) == DW_OP_plus_uconst)
		*added = reader__uleb(&r);
	return !r.failed && !reader__left(&r);
}

#define DEREF_FP	1
#define DEREF_SAVED_FP	2
#define DEREF_ADDED_MAX 15

static uint32_t deref_rule(const struct cfi_state *s)
{
	const struct cfi_rule *fp = &s->regs[CFI_FP];
	int64_t offset;
	uint64_t added;
	uint32_t bits;
	int reg;

	if (!read_deref(reader__of(s->expression, s->size), &reg, &offset, &added) ||
	    (reg != ARCH_SP && reg != ARCH_FP))
		return LT_RULE_NONE;
	if (offset % ARCH_WORD || offset / ARCH_WORD < -(int64_t)(LT_RULE_OFFSET_MAX / 2 + 1) ||
	    offset / ARCH_WORD > LT_RULE_OFFSET_MAX / 2 || added % ARCH_WORD || added / ARCH_WORD > DEREF_ADDED_MAX)
		return LT_RULE_NONE;
	bits = reg == ARCH_FP ? DEREF_FP : 0;
	/* Where GCC realigns the stack, rbp points to where it was saved, and the CFA is not a fixed distance off. */
	if (is_breg(fp, ARCH_FP, 0))
		bits |= DEREF_SAVED_FP;
	else if (fp->how != CFI_UNSPECIFIED && fp->how != CFI_SAME)
		return LT_RULE_NONE;
	return lt_rule_pack(LT_RULE_DEREF, bits | (u32)(added / ARCH_WORD) << 2, (u32)(offset / ARCH_WORD));
}

/* The kernel's struct rt_sigframe after the handler has returned: rsp points to its ucontext. */
static bool is_signal_frame(const struct cfi_state *s)
{
	enum {
		GREGS = ARCH_SIGCONTEXT,
		AT_RBP = GREGS + 10 * ARCH_WORD,
		AT_RSP = GREGS + 15 * ARCH_WORD,
		AT_RIP = GREGS + 16 * ARCH_WORD
	};
	int64_t offset;
	uint64_t added;
	int reg;

	return s->cfa == CFI_CFA_EXPRESSION && read_deref(reader__of(s->expression, s->size), &reg, &offset, &added) &&
	       reg == ARCH_SP && offset == AT_RSP && !added && is_breg(&s->regs[CFI_FP], ARCH_SP, AT_RBP) &&
	       is_breg(&s->regs[CFI_RA], ARCH_SP, AT_RIP);
}

static uint32_t register_rule(const struct cfi_state *s)
{
	const struct cfi_rule *fp = &s->regs[CFI_FP];
	enum lt_rule_type type = s->reg == ARCH_SP ? LT_RULE_SP : LT_RULE_FP;
	int64_t saved = 0;

	if ((s->reg != ARCH_SP && s->reg != ARCH_FP) || !fits_offset(s->offset))
		return LT_RULE_NONE;
	if (fp->how == CFI_OFFSET) {
		if (fp->offset % ARCH_WORD || fp->offset > -ARCH_WORD || fp->offset < -62 * ARCH_WORD)
			return LT_RULE_NONE;
		saved = fp->offset / -ARCH_WORD;
	} else if (fp->how != CFI_UNSPECIFIED && fp->how != CFI_SAME) {
		return LT_RULE_NONE;
	}
	return lt_rule_pack(type, (u32)saved, (u32)(s->offset / ARCH_WORD));
}

uint32_t unwind_arch__rule(const struct cfi_state *s, bool signal_frame)
{
	const struct cfi_rule *sp = &s->regs[CFI_SP], *ra = &s->regs[CFI_RA], *fp = &s->regs[CFI_FP];
	uint32_t rule;

	if (s->cfa == CFI_CFA_NONE)
		return LT_RULE_NONE;
	if (ra->how == CFI_UNDEFINED)
		return LT_RULE_END;
	if (signal_frame)
		return is_signal_frame(s) ? LT_RULE_SIGNAL : LT_RULE_NONE;
	if (ra->how != CFI_OFFSET || ra->offset != -ARCH_WORD)
		return LT_RULE_NONE;
	if (sp->how != CFI_UNSPECIFIED && (sp->how != CFI_VAL_OFFSET || sp->offset))
		return LT_RULE_NONE;
	if (s->cfa == CFI_CFA_REGISTER)
		return register_rule(s);
	rule = fp->how == CFI_UNSPECIFIED || fp->how == CFI_SAME ? plt_rule(reader__of(s->expression, s->size))
								 : LT_RULE_NONE;
	return rule ? rule : deref_rule(s);
}

/* The bytes that an instruction with this ModRM byte has from its opcode on, as long as it has no immediate operand. */
static size_t modrm_size(const uint8_t *modrm, size_t left)
{
	unsigned int mod = *modrm >> 6, rm = *modrm & 7;
	size_t size = 2;

	if (mod == 3)
		return size;
	if (rm == 4) {
		size++;
		if (!mod && left > 1 && (modrm[1] & 7) == 5)
			size += 4;
	}
	if (mod == 2 || (!mod && rm == 5))
		size += 4;
	return mod == 1 ? size + 1 : size;
}

/* E8 rel32; FF /2 and FF /3. What comes before them (REX, notrack, padding of calls to __tls_get_addr) does not matter.
 */
bool unwind_arch__may_hold_call(const uint8_t *bytes, size_t n)
{
	const uint8_t *p = bytes, *end = bytes + n;

	if (n >= 5 && memchr(bytes, 0xe8, n - 4))
		return true;
	while (end - p >= 2 && (p = memchr(p, 0xff, (size_t)(end - p) - 1))) {
		unsigned int op = p[1] >> 3 & 7;

		if ((op == 2 || op == 3) && modrm_size(p + 1, (size_t)(end - p) - 1) <= (size_t)(end - p))
			return true;
		p++;
	}
	return false;
}

size_t unwind_arch__find_restorer(const uint8_t *bytes, size_t n)
{
	const uint8_t *p = memmem(bytes, n, arch_sigreturn, sizeof(arch_sigreturn));

	return p ? (size_t)(p - bytes) : n;
}
#endif
