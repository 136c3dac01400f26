/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * place: which instruction of a function is probed.
 *
 * An instruction that the kernel can emulate costs one trap; any other is single-stepped, several traps and dearer by
 * far. So the first emulated one is wanted, if it can be shown that it does as well as the entry: each call that
 * matters passes it exactly once, with its arguments where they were, and with the stack pointer where that is needed.
 * What cannot be shown is not assumed: then it is the entry, which is always right.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/insn.h"

/* The machine code of a function; n is 0 where its end is unknown. */
struct code {
	const unsigned char *bytes;
	size_t n;
	uint64_t vaddr; /* of bytes[0] */
};

/* The instruction at an offset of it. False: there is none, or it cannot be decoded. */
static inline bool code__decode(struct insn *i, const struct code *code, size_t at)
{
	return at < code->n && insn__decode(i, code->bytes + at, code->n - at, code->vaddr + at);
}

/* What a probe needs of the place where it sits. */
struct place_needs {
	uint32_t arguments;  /* registers, one bit each, whose content at the entry must still be in some register */
	uint32_t registers;  /* those that must be unchanged themselves */
	bool at_entry_sp;    /* the stack pointer must not have moved: a return probe replaces the word it points to */
	uint8_t unless_zero; /* calls with zero in this register do not matter; INSN_NO_REG: all do */
};

enum place_why {
	/* Emulated instructions. */
	PLACE_ENTRY,	/* the first one is */
	PLACE_FIRST,	/* the first of them, passed by every call */
	PLACE_NOT_ZERO, /* the first of them behind a test for zero */
	/* Single-stepped at the entry, because… */
	PLACE_NO_SIZE,	  /* where it ends is unknown, or very far */
	PLACE_NO_CODE,	  /* some of it cannot be decoded */
	PLACE_NONE,	  /* no emulated instruction comes before the first call or return */
	PLACE_REGISTERS,  /* the arguments are changed before */
	PLACE_STACK,	  /* the stack pointer is moved before */
	PLACE_JUMPS_BACK, /* a jump leads behind the entry */
	PLACE_JUMP_TABLE, /* a jump by register may lead there */
	PLACE_ENTERED,	  /* other code jumps there, or a symbol is there */
};

struct place {
	uint32_t offset;    /* of the probed instruction in the function */
	uint32_t sp_offset; /* the stack pointer is so many bytes lower than at the entry */
	uint8_t where[16];  /* for a register at the entry: the one that has its content now; INSN_NO_REG: none has */
	bool emulated;
	enum place_why why;
};

/* For a person: why there. */
const char *place__reason(enum place_why why);

/*
 * Choose. Jumps from elsewhere into the function are the caller's to look for: if there are any to a place behind the
 * entry and not beyond the chosen instruction, call place__give_up().
 */
void place__choose(struct place *p, const struct code *code, const struct place_needs *needs);

/* Back to the entry. */
void place__give_up(struct place *p, const struct code *code, enum place_why why);
