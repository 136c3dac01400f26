/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "probe/jump_table.h"
#include "probe/place.h"

#define REGISTERS 16

/* In instructions; what is longer is no prologue. In bytes; no allocator function is larger. */
#define MAX_PROLOGUE 64
#define MAX_BODY     (256u << 10)

static const char *const reasons[] = {
	[PLACE_ENTRY] = "the first instruction, which the kernel emulates",
	[PLACE_FIRST] = "the first instruction that the kernel emulates; all calls pass it once",
	[PLACE_NOT_ZERO] = "the first instruction that the kernel emulates where the pointer is not NULL",
	[PLACE_NO_SIZE] = "the entry, single-stepped: its symbol has no size, or a very large one",
	[PLACE_NO_CODE] = "the entry, single-stepped: not all of its code can be decoded",
	[PLACE_NONE] = "the entry, single-stepped: no emulated instruction before the first call or return",
	[PLACE_REGISTERS] =
		"the entry, single-stepped: the arguments are changed before the first emulated instruction",
	[PLACE_STACK] = "the entry, single-stepped: the stack pointer is moved before the first emulated instruction",
	[PLACE_JUMPS_BACK] = "the entry, single-stepped: a jump leads back to before the first emulated instruction",
	[PLACE_JUMP_TABLE] = "the entry, single-stepped: it has a jump whose target is unknown",
	[PLACE_ENTERED] = "the entry, single-stepped: other code enters behind it",
};

const char *place__reason(enum place_why why)
{
	return reasons[why];
}

void place__give_up(struct place *p, const struct code *code, enum place_why why)
{
	struct insn i;
	uint8_t reg;

	p->offset = 0;
	p->sp_offset = 0;
	p->emulated = code__decode(&i, code, 0) && i.emulated;
	p->why = p->emulated ? PLACE_ENTRY : why;
	for (reg = 0; reg < REGISTERS; reg++)
		p->where[reg] = reg;
}

/* A straight walk down from the entry. */
struct walk_down {
	uint32_t at;
	uint32_t holds[REGISTERS]; /* by register: those whose content at the entry it has, one bit each */
	int64_t sp;		   /* moved by so many bytes */
	bool sp_known;
	uint32_t tested; /* the flags are those of a test for zero of what was in one of these at the entry */
	bool not_zero;	 /* behind a jump taken by calls that do not matter */
};

static void begin(struct walk_down *w)
{
	uint8_t reg;

	memset(w, 0, sizeof(*w));
	w->sp_known = true;
	for (reg = 0; reg < REGISTERS; reg++)
		w->holds[reg] = 1u << reg;
}

/* The register that has now what another had at the entry: itself, if it still has. */
static uint8_t where_is(const struct walk_down *w, uint8_t reg)
{
	uint8_t i;

	if (w->holds[reg] & 1u << reg)
		return reg;
	for (i = 0; i < REGISTERS; i++) {
		if (w->holds[i] & 1u << reg)
			return i;
	}
	return INSN_NO_REG;
}

/* What keeps a probe from sitting here; PLACE_ENTRY: nothing. */
static enum place_why objection(const struct walk_down *w, const struct place_needs *needs)
{
	uint8_t reg;

	for (reg = 0; reg < REGISTERS; reg++) {
		if ((needs->registers & 1u << reg && where_is(w, reg) != reg) ||
		    (needs->arguments & 1u << reg && where_is(w, reg) == INSN_NO_REG))
			return PLACE_REGISTERS;
	}
	if (!w->sp_known || w->sp > 0 || -w->sp > UINT16_MAX || (needs->at_entry_sp && w->sp))
		return PLACE_STACK;
	return PLACE_ENTRY;
}

static void take(struct place *p, const struct walk_down *w)
{
	uint8_t reg;

	p->offset = w->at;
	p->sp_offset = (uint32_t)-w->sp;
	p->emulated = true;
	p->why = !w->at ? PLACE_ENTRY : w->not_zero ? PLACE_NOT_ZERO : PLACE_FIRST;
	for (reg = 0; reg < REGISTERS; reg++)
		p->where[reg] = where_is(w, reg);
}

static void write_registers(struct walk_down *w, const struct insn *i)
{
	uint32_t copied = i->copy_of != INSN_NO_REG ? w->holds[i->copy_of] : 0;
	uint8_t reg;

	for (reg = 0; reg < REGISTERS; reg++) {
		if (i->writes & 1u << reg && reg != GPR_RSP)
			w->holds[reg] = 0;
	}
	if (copied)
		w->holds[i->copy_to] = copied;
}

/* Step over an instruction. False: not all calls that matter come to the next one. */
static bool step(struct walk_down *w, const struct insn *i, const struct place_needs *needs)
{
	if (i->flow == INSN_BRANCH) {
		if (!i->if_zero || needs->unless_zero == INSN_NO_REG || !(w->tested & 1u << needs->unless_zero))
			return false;
		w->not_zero = true;
	} else if (i->flow != INSN_NEXT) {
		return false;
	}
	/* What does not touch the flags may stand in between, but that is not asked: the jump follows the test. */
	w->tested = i->tests != INSN_NO_REG ? w->holds[i->tests] : 0;
	write_registers(w, i);
	if (i->moves_sp) {
		w->sp_known &= i->sp_known;
		w->sp += i->sp_moves;
	}
	w->at += i->length;
	return true;
}

/*
 * The first emulated instruction of the prologue that will do. One behind a test for NULL is better: free(NULL) costs
 * nothing there. Of two emulated ones before a test the first is as good as the second.
 */
static void choose_in_prologue(struct place *p, const struct code *code, const struct place_needs *needs)
{
	enum place_why against = PLACE_NONE, now;
	struct walk_down w;
	bool found = false;
	struct insn i;
	int n;

	begin(&w);
	for (n = 0; n < MAX_PROLOGUE && code__decode(&i, code, w.at); n++) {
		if (i.emulated && !(found && (!w.not_zero || p->why == PLACE_NOT_ZERO))) {
			now = objection(&w, needs);
			if (now == PLACE_ENTRY) {
				take(p, &w);
				found = true;
			} else if (against == PLACE_NONE) {
				against = now;
			}
		}
		if (!step(&w, &i, needs))
			break;
	}
	if (!found)
		place__give_up(p, code, against);
}

/* Does the function itself jump behind its entry, to the chosen instruction or before it? PLACE_ENTRY: no. */
static enum place_why jumps_into(const struct code *code, uint32_t chosen)
{
	struct insn i;
	size_t at;

	for (at = 0; at < code->n; at += i.length) {
		if (!code__decode(&i, code, at))
			return PLACE_NO_CODE;
		if ((i.flow == INSN_BRANCH || i.flow == INSN_JUMP || i.flow == INSN_CALL) && i.target > code->vaddr &&
		    i.target <= code->vaddr + chosen)
			return PLACE_JUMPS_BACK;
	}
	return jump_table__may_be_in(code) ? PLACE_JUMP_TABLE : PLACE_ENTRY;
}

void place__choose(struct place *p, const struct code *code, const struct place_needs *needs)
{
	struct place_needs all = *needs;
	enum place_why against;

	if (!code->n || code->n > MAX_BODY) {
		place__give_up(p, code, PLACE_NO_SIZE);
		return;
	}
	choose_in_prologue(p, code, needs);
	against = p->offset ? jumps_into(code, p->offset) : PLACE_ENTRY;
	if (against == PLACE_JUMPS_BACK && p->why == PLACE_NOT_ZERO) {
		/* Perhaps only to behind the test. */
		all.unless_zero = INSN_NO_REG;
		choose_in_prologue(p, code, &all);
		against = p->offset ? jumps_into(code, p->offset) : PLACE_ENTRY;
	}
	if (against != PLACE_ENTRY)
		place__give_up(p, code, against);
}
