/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dwarf_expr: the value of a DWARF expression of unwind information. Nothing but registers and memory goes in, so an
 * expression that asks for more has no value; so has one that takes too many steps or too deep a stack.
 */
#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dwarf_expr_input {
	const uint64_t *regs; /* by DWARF number */
	uint32_t known;	      /* bit n: regs[n] has a value */
	unsigned int n_regs;  /* at most 32 */
	bool has_cfa;	      /* else DW_OP_call_frame_cfa has no value */
	uint64_t cfa;
	/* `size` bytes (1 to 8) at `address`, zero-extended. False: not to be had. */
	bool (*read)(void *ctx, uint64_t address, unsigned int size, uint64_t *out);
	void *ctx;
};

enum dwarf_expr_end {
	DWARF_EXPR_DONE = 0,
	DWARF_EXPR_BAD,	       /* malformed, too long, an operation that is none of unwinding's */
	DWARF_EXPR_UNREADABLE, /* a memory read failed */
};

/* What an expression stands for: a place in memory (its result is an address), a value, a register. */
enum dwarf_expr_kind { DWARF_EXPR_ADDRESS, DWARF_EXPR_VALUE, DWARF_EXPR_REGISTER };

struct dwarf_expr_result {
	enum dwarf_expr_kind kind;
	uint64_t value; /* of REGISTER its number, below n_regs, with a known value */
};

/* Evaluate n operations as libdw gives them. *out is set only when it returns DWARF_EXPR_DONE. */
enum dwarf_expr_end dwarf_expr__eval(const Dwarf_Op *ops, size_t n, const struct dwarf_expr_input *in,
				     struct dwarf_expr_result *out);

/* The same, and what lies at the place or in the register: the value itself. */
enum dwarf_expr_end dwarf_expr__value(const Dwarf_Op *ops, size_t n, const struct dwarf_expr_input *in, uint64_t *out);
