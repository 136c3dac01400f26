/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>

#include "unwind/dwarf_expr.h"

/* Expressions in real files have up to a dozen operations and no loops. */
#define MAX_STEPS 1000
#define MAX_DEPTH 64
#define WORD_SIZE 8

struct eval {
	const struct dwarf_expr_input *in;
	uint64_t stack[MAX_DEPTH];
	unsigned int depth;
	enum dwarf_expr_end end;
};

static void fail(struct eval *e, enum dwarf_expr_end why)
{
	if (e->end == DWARF_EXPR_DONE)
		e->end = why;
}

static void push(struct eval *e, uint64_t value)
{
	if (e->depth == MAX_DEPTH)
		fail(e, DWARF_EXPR_BAD);
	else
		e->stack[e->depth++] = value;
}

static uint64_t pop(struct eval *e)
{
	if (e->depth)
		return e->stack[--e->depth];
	fail(e, DWARF_EXPR_BAD);
	return 0;
}

/* The value `below` entries under the top. */
static uint64_t peek(struct eval *e, uint64_t below)
{
	if (below < e->depth)
		return e->stack[e->depth - 1 - below];
	fail(e, DWARF_EXPR_BAD);
	return 0;
}

static bool is_known(const struct dwarf_expr_input *in, uint64_t reg)
{
	return reg < in->n_regs && reg < 32 && in->known >> reg & 1;
}

static void push_register(struct eval *e, uint64_t reg, uint64_t offset)
{
	if (is_known(e->in, reg))
		push(e, e->in->regs[reg] + offset);
	else
		fail(e, DWARF_EXPR_BAD);
}

static void load(struct eval *e, uint64_t size)
{
	uint64_t address = pop(e), value = 0;

	if (!size || size > WORD_SIZE)
		fail(e, DWARF_EXPR_BAD);
	if (e->end)
		return;
	if (e->in->read(e->in->ctx, address, (unsigned int)size, &value))
		push(e, value);
	else
		fail(e, DWARF_EXPR_UNREADABLE);
}

/* Move the top below the two under it. */
static void rotate(struct eval *e)
{
	uint64_t first = pop(e), second = pop(e), third = pop(e);

	push(e, first);
	push(e, third);
	push(e, second);
}

static uint64_t divide(struct eval *e, int64_t a, int64_t b)
{
	if (!b) {
		fail(e, DWARF_EXPR_BAD);
		return 0;
	}
	/* INT64_MIN / -1 overflows. */
	return b == -1 ? -(uint64_t)a : (uint64_t)(a / b);
}

static uint64_t modulo(struct eval *e, uint64_t a, uint64_t b)
{
	if (b)
		return a % b;
	fail(e, DWARF_EXPR_BAD);
	return 0;
}

static uint64_t shift_right_signed(int64_t a, uint64_t by)
{
	return (uint64_t)(a >> (by < 63 ? by : 63));
}

static bool is_binary(uint8_t atom)
{
	switch (atom) {
	case DW_OP_and ... DW_OP_mul:
	case DW_OP_or ... DW_OP_plus:
	case DW_OP_shl ... DW_OP_xor:
	case DW_OP_eq ... DW_OP_ne:
		return true;
	default:
		return false;
	}
}

/* Comparisons are signed (DWARF 4, 2.5.1.4), division too, the remainder is not (as GDB and libgcc have it). */
static uint64_t binary(struct eval *e, uint8_t atom, uint64_t a, uint64_t b)
{
	switch (atom) {
	case DW_OP_and:
		return a & b;
	case DW_OP_div:
		return divide(e, (int64_t)a, (int64_t)b);
	case DW_OP_minus:
		return a - b;
	case DW_OP_mod:
		return modulo(e, a, b);
	case DW_OP_mul:
		return a * b;
	case DW_OP_or:
		return a | b;
	case DW_OP_plus:
		return a + b;
	case DW_OP_shl:
		return b < 64 ? a << b : 0;
	case DW_OP_shr:
		return b < 64 ? a >> b : 0;
	case DW_OP_shra:
		return shift_right_signed((int64_t)a, b);
	case DW_OP_xor:
		return a ^ b;
	case DW_OP_eq:
		return a == b;
	case DW_OP_ge:
		return (int64_t)a >= (int64_t)b;
	case DW_OP_gt:
		return (int64_t)a > (int64_t)b;
	case DW_OP_le:
		return (int64_t)a <= (int64_t)b;
	case DW_OP_lt:
		return (int64_t)a < (int64_t)b;
	default: /* DW_OP_ne */
		return a != b;
	}
}

static bool is_unary(uint8_t atom)
{
	return atom == DW_OP_abs || atom == DW_OP_neg || atom == DW_OP_not || atom == DW_OP_plus_uconst;
}

static uint64_t unary(const Dwarf_Op *op, uint64_t a)
{
	switch (op->atom) {
	case DW_OP_abs:
		return (int64_t)a < 0 ? -a : a;
	case DW_OP_neg:
		return -a;
	case DW_OP_not:
		return ~a;
	default: /* DW_OP_plus_uconst */
		return a + op->number;
	}
}

/* Operations that take what they push from elsewhere than the stack. False: none of them. */
static bool fetch(struct eval *e, const Dwarf_Op *op)
{
	switch (op->atom) {
	case DW_OP_lit0 ... DW_OP_lit31:
		push(e, op->atom - DW_OP_lit0);
		return true;
	/* libdw has extended the sign of those that have one. */
	case DW_OP_const1u ... DW_OP_consts:
		push(e, op->number);
		return true;
	case DW_OP_breg0 ... DW_OP_breg31:
		push_register(e, op->atom - DW_OP_breg0, op->number);
		return true;
	case DW_OP_bregx:
		push_register(e, op->number, op->number2);
		return true;
	case DW_OP_call_frame_cfa:
		if (e->in->has_cfa)
			push(e, e->in->cfa);
		else
			fail(e, DWARF_EXPR_BAD);
		return true;
	default:
		return false;
	}
}

/* Operations that move what the stack has, and loads. False: none of them. */
static bool rearrange(struct eval *e, const Dwarf_Op *op)
{
	uint64_t top, under;

	switch (op->atom) {
	case DW_OP_nop:
		return true;
	case DW_OP_dup:
		push(e, peek(e, 0));
		return true;
	case DW_OP_drop:
		pop(e);
		return true;
	case DW_OP_over:
		push(e, peek(e, 1));
		return true;
	case DW_OP_pick:
		push(e, peek(e, op->number));
		return true;
	case DW_OP_swap:
		top = pop(e);
		under = pop(e);
		push(e, top);
		push(e, under);
		return true;
	case DW_OP_rot:
		rotate(e);
		return true;
	case DW_OP_deref:
		load(e, WORD_SIZE);
		return true;
	case DW_OP_deref_size:
		load(e, op->number);
		return true;
	default:
		return false;
	}
}

/* The operation that a jump leads to; n where there is none. Jumps count bytes from the end of the operation. */
static size_t target(const Dwarf_Op *ops, size_t n, const Dwarf_Op *jump)
{
	uint64_t offset = jump->offset + 3 + (uint64_t)(int64_t)(int16_t)jump->number;
	/* DW_OP_call_frame_cfa in front of an expression is libdw's and has no place in it. */
	size_t lo = n && ops[0].offset == UINT64_MAX, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ops[mid].offset == offset)
			return mid;
		if (ops[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return n;
}

static void step(struct eval *e, const Dwarf_Op *op)
{
	uint64_t b;

	if (is_binary(op->atom)) {
		b = pop(e);
		push(e, binary(e, op->atom, pop(e), b));
	} else if (is_unary(op->atom)) {
		push(e, unary(op, pop(e)));
	} else if (!fetch(e, op) && !rearrange(e, op)) {
		fail(e, DWARF_EXPR_BAD);
	}
}

static bool is_jump(const Dwarf_Op *op)
{
	return op->atom == DW_OP_bra || op->atom == DW_OP_skip;
}

/* Runs to the end or to DW_OP_stack_value, which is set in *kind. */
static void run(struct eval *e, const Dwarf_Op *ops, size_t n, enum dwarf_expr_kind *kind)
{
	unsigned int steps = 0;
	size_t i = 0;

	*kind = DWARF_EXPR_ADDRESS;
	while (i < n && !e->end) {
		const Dwarf_Op *op = &ops[i++];

		if (steps++ == MAX_STEPS)
			fail(e, DWARF_EXPR_BAD);
		if (op->atom == DW_OP_stack_value) {
			*kind = DWARF_EXPR_VALUE;
			return;
		}
		if (!is_jump(op)) {
			step(e, op);
		} else if (op->atom == DW_OP_skip || pop(e)) {
			i = target(ops, n, op);
			if (i == n)
				fail(e, DWARF_EXPR_BAD);
		}
	}
}

/* A location that is a register is one operation and no more. */
static bool names_register(const Dwarf_Op *ops, size_t n, uint64_t *reg)
{
	if (n != 1)
		return false;
	if (ops->atom >= DW_OP_reg0 && ops->atom <= DW_OP_reg31)
		*reg = ops->atom - DW_OP_reg0;
	else if (ops->atom == DW_OP_regx)
		*reg = ops->number;
	else
		return false;
	return true;
}

enum dwarf_expr_end dwarf_expr__eval(const Dwarf_Op *ops, size_t n, const struct dwarf_expr_input *in,
				     struct dwarf_expr_result *out)
{
	struct dwarf_expr_result result;
	struct eval e = {.in = in};

	if (names_register(ops, n, &result.value)) {
		if (!is_known(in, result.value))
			return DWARF_EXPR_BAD;
		result.kind = DWARF_EXPR_REGISTER;
	} else {
		run(&e, ops, n, &result.kind);
		result.value = pop(&e);
		if (e.end)
			return e.end;
	}
	*out = result;
	return DWARF_EXPR_DONE;
}

enum dwarf_expr_end dwarf_expr__value(const Dwarf_Op *ops, size_t n, const struct dwarf_expr_input *in, uint64_t *out)
{
	struct dwarf_expr_result r;
	enum dwarf_expr_end end = dwarf_expr__eval(ops, n, in, &r);

	if (end)
		return end;
	if (r.kind == DWARF_EXPR_REGISTER)
		r.value = in->regs[r.value];
	else if (r.kind == DWARF_EXPR_ADDRESS && !in->read(in->ctx, r.value, WORD_SIZE, &r.value))
		return DWARF_EXPR_UNREADABLE;
	*out = r.value;
	return DWARF_EXPR_DONE;
}
