/* SPDX-License-Identifier: GPL-2.0-only */
/* The operations of DWARF expressions one by one, as libdw gives them, and expressions that have no value. */
#include <dwarf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "unwind/dwarf_expr.h"

#define CFA    0x7000ull
#define MEMORY 0x1000ull
#define N_REGS 17

static const uint64_t regs[N_REGS] = {[3] = 33, [6] = MEMORY, [7] = MEMORY + 8, [16] = 0x400000};
static const uint8_t memory[] = {1, 2, 3, 4, 5, 6, 7, 0x88, 0xff, 0, 0, 0, 0, 0, 0, 0x80};

static bool read_memory(void *ctx, uint64_t address, unsigned int size, uint64_t *out)
{
	unsigned int i;

	(void)ctx;
	if (address < MEMORY || address - MEMORY > sizeof(memory) || sizeof(memory) - (address - MEMORY) < size)
		return false;
	*out = 0;
	for (i = 0; i < size; i++)
		*out |= (uint64_t)memory[address - MEMORY + i] << 8 * i;
	return true;
}

/* Register 15 is not known. */
static const struct dwarf_expr_input input = {
	.regs = regs, .known = 0x17fff, .n_regs = N_REGS, .has_cfa = true, .cfa = CFA, .read = read_memory};

#define OP1(op)                                                                                                        \
	{                                                                                                              \
		.atom = (op)                                                                                           \
	}
#define OP2(op, n)                                                                                                     \
	{                                                                                                              \
		.atom = (op), .number = (uint64_t)(n)                                                                  \
	}
#define OP3(op, n, n2)                                                                                                 \
	{                                                                                                              \
		.atom = (op), .number = (uint64_t)(n), .number2 = (uint64_t)(n2)                                       \
	}
#define AT(at, op, n)                                                                                                  \
	{                                                                                                              \
		.atom = (op), .number = (uint64_t)(int64_t)(n), .offset = (at)                                         \
	}
#define CONST(n) OP2(DW_OP_constu, n)

static struct dwarf_expr_result result;

static enum dwarf_expr_end eval(const Dwarf_Op *ops, size_t n)
{
	result = (struct dwarf_expr_result){};
	return dwarf_expr__eval(ops, n, &input, &result);
}

#define EVAL(...) eval((const Dwarf_Op[]){__VA_ARGS__}, sizeof((const Dwarf_Op[]){__VA_ARGS__}) / sizeof(Dwarf_Op))

#define assert_gives(want, ...)                                                                                        \
	do {                                                                                                           \
		assert_int_equal(EVAL(__VA_ARGS__), DWARF_EXPR_DONE);                                                  \
		assert_int_equal(result.value, (uint64_t)(want));                                                      \
	} while (0)

#define assert_bad(...) assert_int_equal(EVAL(__VA_ARGS__), DWARF_EXPR_BAD)

static void constants(void **state)
{
	uint8_t i;

	(void)state;
	for (i = 0; i < 32; i++)
		assert_gives(i, OP1(DW_OP_lit0 + i));
	for (i = DW_OP_const1u; i <= DW_OP_consts; i++)
		assert_gives(-3, OP2(i, -3));
	assert_int_equal(result.kind, DWARF_EXPR_ADDRESS);
	assert_gives(CFA, OP1(DW_OP_call_frame_cfa));
	assert_gives(CFA + 16, OP1(DW_OP_call_frame_cfa), OP2(DW_OP_plus_uconst, 16));
}

static void registers(void **state)
{
	(void)state;
	assert_gives(33 - 5, OP2(DW_OP_breg3, -5));
	assert_gives(0x400001, OP2(DW_OP_breg16, 1));
	assert_gives(33 + 7, OP3(DW_OP_bregx, 3, 7));
	assert_gives(6, OP1(DW_OP_reg6));
	assert_int_equal(result.kind, DWARF_EXPR_REGISTER);
	assert_gives(16, OP2(DW_OP_regx, 16));
	assert_int_equal(result.kind, DWARF_EXPR_REGISTER);
	assert_bad(OP2(DW_OP_breg15, 0));
	assert_bad(OP2(DW_OP_breg17, 0));
	assert_bad(OP2(DW_OP_breg31, 0));
	assert_bad(OP3(DW_OP_bregx, 32, 0));
	assert_bad(OP3(DW_OP_bregx, UINT64_MAX, 0));
	assert_bad(OP1(DW_OP_reg15));
	assert_bad(OP2(DW_OP_regx, UINT64_MAX));
	/* A register is a location, not an operand. */
	assert_bad(OP1(DW_OP_reg3), OP1(DW_OP_deref));
	assert_bad(OP1(DW_OP_lit1), OP1(DW_OP_reg3));
}

static void two_operands(void **state)
{
	static const struct {
		uint8_t atom;
		int64_t a, b, want;
	} t[] = {
		{DW_OP_plus, 5, 7, 12},
		{DW_OP_plus, -1, 2, 1},
		{DW_OP_minus, 5, 7, -2},
		{DW_OP_mul, -3, 7, -21},
		{DW_OP_div, -21, 2, -10},
		{DW_OP_div, 21, -2, -10},
		{DW_OP_div, INT64_MIN, -1, INT64_MIN},
		{DW_OP_mod, 23, 5, 3},
		{DW_OP_mod, -1, 10, 5},
		{DW_OP_and, 12, 10, 8},
		{DW_OP_or, 12, 10, 14},
		{DW_OP_xor, 12, 10, 6},
		{DW_OP_shl, 3, 4, 48},
		{DW_OP_shl, 1, 63, INT64_MIN},
		{DW_OP_shl, 1, 64, 0},
		{DW_OP_shr, -1, 60, 15},
		{DW_OP_shr, -1, 64, 0},
		{DW_OP_shra, -16, 2, -4},
		{DW_OP_shra, -16, 63, -1},
		{DW_OP_shra, -16, 64, -1},
		{DW_OP_shra, 16, -1, 0},
		{DW_OP_eq, 4, 4, 1},
		{DW_OP_eq, 4, 5, 0},
		{DW_OP_ne, 4, 5, 1},
		{DW_OP_ne, 4, 4, 0},
		{DW_OP_lt, -1, 0, 1},
		{DW_OP_lt, 0, 0, 0},
		{DW_OP_le, 0, 0, 1},
		{DW_OP_le, 1, -1, 0},
		{DW_OP_gt, 0, -1, 1},
		{DW_OP_gt, 0, 0, 0},
		{DW_OP_ge, 0, 0, 1},
		{DW_OP_ge, -1, 0, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_gives(t[i].want, CONST(t[i].a), CONST(t[i].b), OP1(t[i].atom));
		assert_bad(CONST(t[i].a), OP1(t[i].atom));
		assert_bad(OP1(t[i].atom));
	}
	assert_bad(CONST(1), CONST(0), OP1(DW_OP_div));
	assert_bad(CONST(1), CONST(0), OP1(DW_OP_mod));
}

static void one_operand(void **state)
{
	(void)state;
	assert_gives(-7, CONST(7), OP1(DW_OP_neg));
	assert_gives(~7, CONST(7), OP1(DW_OP_not));
	assert_gives(7, CONST(-7), OP1(DW_OP_abs));
	assert_gives(7, CONST(7), OP1(DW_OP_abs));
	assert_gives(INT64_MIN, CONST(INT64_MIN), OP1(DW_OP_abs));
	assert_gives(9, CONST(7), OP2(DW_OP_plus_uconst, 2));
	assert_bad(OP1(DW_OP_neg));
	assert_bad(OP2(DW_OP_plus_uconst, 2));
}

static void stack_operations(void **state)
{
	(void)state;
	assert_gives(14, CONST(7), OP1(DW_OP_dup), OP1(DW_OP_plus));
	assert_gives(7, CONST(7), CONST(8), OP1(DW_OP_drop));
	assert_gives(7, CONST(7), CONST(8), OP1(DW_OP_over));
	assert_gives(8, CONST(7), CONST(8), OP2(DW_OP_pick, 0));
	assert_gives(7, CONST(7), CONST(8), OP2(DW_OP_pick, 1));
	assert_gives(1, CONST(7), CONST(8), OP1(DW_OP_swap), OP1(DW_OP_minus));
	/* 1 2 3, rotated 3 1 2. */
	assert_gives(2, CONST(1), CONST(2), CONST(3), OP1(DW_OP_rot));
	assert_gives(1, CONST(1), CONST(2), CONST(3), OP1(DW_OP_rot), OP1(DW_OP_drop));
	assert_gives(3, CONST(1), CONST(2), CONST(3), OP1(DW_OP_rot), OP1(DW_OP_drop), OP1(DW_OP_drop));
	assert_gives(7, CONST(7), OP1(DW_OP_nop));
	assert_bad(OP1(DW_OP_dup));
	assert_bad(OP1(DW_OP_drop));
	assert_bad(CONST(7), OP1(DW_OP_drop));
	assert_bad(CONST(7), OP1(DW_OP_over));
	assert_bad(CONST(7), OP2(DW_OP_pick, 1));
	assert_bad(CONST(7), OP2(DW_OP_pick, UINT64_MAX));
	assert_bad(CONST(7), OP1(DW_OP_swap));
	assert_bad(CONST(7), CONST(8), OP1(DW_OP_rot));
	assert_int_equal(eval(NULL, 0), DWARF_EXPR_BAD);
}

static void loads(void **state)
{
	(void)state;
	assert_gives(0x8807060504030201, OP2(DW_OP_breg6, 0), OP1(DW_OP_deref));
	assert_gives(0x80000000000000ff, OP2(DW_OP_breg7, 0), OP1(DW_OP_deref));
	assert_gives(0x88, OP2(DW_OP_breg6, 7), OP2(DW_OP_deref_size, 1));
	assert_gives(0x8807, OP2(DW_OP_breg6, 6), OP2(DW_OP_deref_size, 2));
	assert_gives(0x060504, OP2(DW_OP_breg6, 3), OP2(DW_OP_deref_size, 3));
	assert_bad(OP2(DW_OP_breg6, 0), OP2(DW_OP_deref_size, 0));
	assert_bad(OP2(DW_OP_breg6, 0), OP2(DW_OP_deref_size, 9));
	assert_bad(OP2(DW_OP_breg6, 0), OP2(DW_OP_deref_size, UINT64_MAX));
	assert_bad(OP1(DW_OP_deref));
	assert_int_equal(EVAL(CONST(0), OP1(DW_OP_deref)), DWARF_EXPR_UNREADABLE);
	assert_int_equal(EVAL(OP2(DW_OP_breg6, 9), OP1(DW_OP_deref)), DWARF_EXPR_UNREADABLE);
	assert_int_equal(EVAL(CONST(-4), OP1(DW_OP_deref)), DWARF_EXPR_UNREADABLE);
}

static void jumps(void **state)
{
	(void)state;
	/* 0: lit1, 1: bra +1 → 5, 4: lit7, 5: lit9 */
	assert_gives(9, AT(0, DW_OP_lit1, 0), AT(1, DW_OP_bra, 1), AT(4, DW_OP_lit7, 0), AT(5, DW_OP_lit9, 0));
	assert_gives(7, AT(0, DW_OP_lit7, 0), AT(1, DW_OP_lit0, 0), AT(2, DW_OP_bra, 1), AT(5, DW_OP_nop, 0),
		     AT(6, DW_OP_nop, 0));
	assert_gives(3, AT(0, DW_OP_lit3, 0), AT(1, DW_OP_skip, 1), AT(4, DW_OP_drop, 0), AT(5, DW_OP_nop, 0));
	/* Count down from 5 in a loop: 0: lit5, 1: lit1, 2: minus, 3: dup, 4: bra -6 → 1 */
	assert_gives(0, AT(0, DW_OP_lit5, 0), AT(1, DW_OP_lit1, 0), AT(2, DW_OP_minus, 0), AT(3, DW_OP_dup, 0),
		     AT(4, DW_OP_bra, -6));
	/* For ever; into the middle of an operation; out of the expression; to what libdw put in front. */
	assert_bad(AT(0, DW_OP_lit1, 0), AT(1, DW_OP_skip, -3));
	assert_bad(AT(0, DW_OP_lit1, 0), AT(1, DW_OP_skip, -2));
	assert_bad(AT(0, DW_OP_lit1, 0), AT(1, DW_OP_skip, 100));
	assert_bad(AT(0, DW_OP_lit1, 0), AT(1, DW_OP_skip, -100));
	assert_bad(AT(UINT64_MAX, DW_OP_call_frame_cfa, 0), AT(0, DW_OP_skip, -4));
	assert_bad(AT(1, DW_OP_bra, 1));
}

static void no_values(void **state)
{
	static const struct dwarf_expr_input no_cfa = {.regs = regs, .n_regs = N_REGS, .read = read_memory};
	static const Dwarf_Op cfa = OP1(DW_OP_call_frame_cfa);
	Dwarf_Op many[66] = {};
	size_t i;

	(void)state;
	assert_int_equal(dwarf_expr__eval(&cfa, 1, &no_cfa, &result), DWARF_EXPR_BAD);
	assert_bad(OP2(DW_OP_addr, 5));
	assert_bad(OP1(DW_OP_push_object_address));
	assert_bad(CONST(5), OP2(DW_OP_piece, 8));
	assert_bad(CONST(5), OP1(DW_OP_xderef));
	assert_bad(OP2(DW_OP_entry_value, 1));
	assert_bad(OP2(DW_OP_fbreg, 0));
	assert_bad(OP1(0xff));
	for (i = 0; i < 66; i++)
		many[i].atom = DW_OP_lit1;
	assert_int_equal(eval(many, 64), DWARF_EXPR_DONE);
	assert_int_equal(eval(many, 65), DWARF_EXPR_BAD);
}

static uint64_t value_of(const Dwarf_Op *ops, size_t n)
{
	uint64_t out = 0;

	assert_int_equal(dwarf_expr__value(ops, n, &input, &out), DWARF_EXPR_DONE);
	return out;
}

/* What a location, a value and a register come to. */
static void values(void **state)
{
	const Dwarf_Op place[] = {OP2(DW_OP_breg6, 0)};
	const Dwarf_Op value[] = {OP2(DW_OP_breg6, 0), OP1(DW_OP_stack_value), OP1(DW_OP_drop)};
	const Dwarf_Op reg[] = {OP1(DW_OP_reg3)};
	const Dwarf_Op nowhere[] = {OP1(DW_OP_lit0)};
	uint64_t out;

	(void)state;
	assert_int_equal(value_of(place, 1), 0x8807060504030201);
	assert_int_equal(value_of(value, 3), MEMORY);
	assert_int_equal(value_of(reg, 1), 33);
	assert_int_equal(dwarf_expr__value(nowhere, 1, &input, &out), DWARF_EXPR_UNREADABLE);
	assert_int_equal(dwarf_expr__value(nowhere, 0, &input, &out), DWARF_EXPR_BAD);
}

/* The expression of each PLT: breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus. */
static void of_a_plt(void **state)
{
	(void)state;
	assert_gives(MEMORY + 16, OP2(DW_OP_breg7, 8), OP2(DW_OP_breg16, 0), OP1(DW_OP_lit15), OP1(DW_OP_and),
		     OP1(DW_OP_lit11), OP1(DW_OP_ge), OP1(DW_OP_lit3), OP1(DW_OP_shl), OP1(DW_OP_plus));
	assert_gives(MEMORY + 24, OP2(DW_OP_breg7, 8), OP2(DW_OP_breg16, 11), OP1(DW_OP_lit15), OP1(DW_OP_and),
		     OP1(DW_OP_lit11), OP1(DW_OP_ge), OP1(DW_OP_lit3), OP1(DW_OP_shl), OP1(DW_OP_plus));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(constants),   cmocka_unit_test(registers),	   cmocka_unit_test(two_operands),
		cmocka_unit_test(one_operand), cmocka_unit_test(stack_operations), cmocka_unit_test(loads),
		cmocka_unit_test(jumps),       cmocka_unit_test(no_values),	   cmocka_unit_test(values),
		cmocka_unit_test(of_a_plt),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
