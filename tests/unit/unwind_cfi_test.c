/* SPDX-License-Identifier: GPL-2.0-only */
/* Unwind information written by hand: every instruction, every encoding, the expressions that have a rule. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unwind_entries.h"

/* As lt_rule_pack(), but constant. */
#define RULE(type, saved, offset) ((type) | (u32)(saved) << 3 | ((u32)(offset)&LT_RULE_OFFSET_MAX) << 9)
#define SP(offset)		  RULE(LT_RULE_SP, 0, (offset) / 8)
#define FP(offset, saved)	  RULE(LT_RULE_FP, (saved) / 8, (offset) / 8)
#define SP_SAVED(offset, saved)	  RULE(LT_RULE_SP, (saved) / 8, (offset) / 8)
#define NONE			  LT_RULE_NONE

static struct image image;
static struct entries entries;

static void build(struct unwind_table *t)
{
	image__of(&image, &entries);
	assert_int_equal(image__build(t, &image, true), 0);
}

static uint32_t rule_at(const struct unwind_table *t, uint64_t pc)
{
	const struct lt_row *row = unwind_table__find(t, pc);

	assert_non_null(row);
	return row->rule;
}

struct expected {
	uint32_t at, rule;
};

/* One function over all the code: what its program makes of it. */
struct program {
	const char *name;
	const char *bytes;
	size_t n;
	struct expected expected[6]; /* up to the one at offset 0 that is not the first */
	uint32_t bad;
};

#define BYTES(text) .bytes = text, .n = sizeof(text) - 1

static const struct program programs[] = {
	{"nothing", BYTES(""), {{0, SP(8)}}, 0},
	{"advance_loc", BYTES("\x41\x0e\x10"), {{0, SP(8)}, {1, SP(16)}}, 0},
	{"advance_loc1", BYTES("\x02\x80\x0e\x10"), {{0, SP(8)}, {0x80, SP(16)}}, 0},
	{"advance_loc2", BYTES("\x03\x00\x02\x0e\x10"), {{0, SP(8)}, {0x200, SP(16)}}, 0},
	{"advance_loc4", BYTES("\x04\x00\x03\x00\x00\x0e\x10"), {{0, SP(8)}, {0x300, SP(16)}}, 0},
	{"MIPS_advance_loc8", BYTES("\x1d\x00\x04\0\0\0\0\0\0\x0e\x10"), {{0, SP(8)}, {0x400, SP(16)}}, 0},
	{"advance beyond the end", BYTES("\x04\xff\xff\xff\xff\x0e\x10"), {{0, SP(8)}}, 0},
	{"advance by nothing", BYTES("\x40\x0e\x10\x40\x0e\x18"), {{0, SP(24)}}, 0},
	{"def_cfa", BYTES("\x44\x0c\x06\x10"), {{0, SP(8)}, {4, FP(16, 0)}}, 0},
	{"def_cfa of another register",
	 BYTES("\x44\x0c\x0a\x00\x42\x0c\x07\x08"),
	 {{0, SP(8)}, {4, NONE}, {6, SP(8)}},
	 0},
	{"def_cfa_register", BYTES("\x41\x0e\x10\x43\x0d\x06"), {{0, SP(8)}, {1, SP(16)}, {4, FP(16, 0)}}, 0},
	{"def_cfa_sf", BYTES("\x44\x12\x06\x7c"), {{0, SP(8)}, {4, FP(32, 0)}}, 0},
	{"def_cfa_offset_sf", BYTES("\x44\x13\x7b"), {{0, SP(8)}, {4, SP(40)}}, 0},
	{"a negative offset", BYTES("\x44\x13\x01"), {{0, SP(8)}, {4, NONE}}, 0},
	{"an odd offset", BYTES("\x44\x0e\x0c"), {{0, SP(8)}, {4, NONE}}, 0},
	{"the largest offset", BYTES("\x44\x0e\xf8\xff\xff\x0f"), {{0, SP(8)}, {4, SP(0x1fffff8)}}, 0},
	{"too large an offset", BYTES("\x44\x0e\x80\x80\x80\x10"), {{0, SP(8)}, {4, NONE}}, 0},
	{"offset", BYTES("\x41\x0e\x10\x86\x02"), {{0, SP(8)}, {1, SP_SAVED(16, 16)}}, 0},
	{"offset of others", BYTES("\x41\x83\x03\x8c\x04"), {{0, SP(8)}}, 0},
	{"offset_extended", BYTES("\x41\x05\x06\x3e"), {{0, SP(8)}, {1, SP_SAVED(8, 62 * 8)}}, 0},
	{"too far", BYTES("\x41\x05\x06\x3f"), {{0, SP(8)}, {1, NONE}}, 0},
	{"offset_extended_sf", BYTES("\x41\x11\x06\x03"), {{0, SP(8)}, {1, SP_SAVED(8, 24)}}, 0},
	{"above the CFA", BYTES("\x41\x11\x06\x7f"), {{0, SP(8)}, {1, NONE}}, 0},
	{"GNU_negative_offset_extended", BYTES("\x41\x2f\x06\x02"), {{0, SP(8)}, {1, NONE}}, 0},
	{"restore", BYTES("\x41\x86\x02\x41\xc6"), {{0, SP(8)}, {1, SP_SAVED(8, 16)}, {2, SP(8)}}, 0},
	{"restore_extended", BYTES("\x41\x86\x02\x41\x06\x06"), {{0, SP(8)}, {1, SP_SAVED(8, 16)}, {2, SP(8)}}, 0},
	{"same_value", BYTES("\x41\x86\x02\x41\x08\x06"), {{0, SP(8)}, {1, SP_SAVED(8, 16)}, {2, SP(8)}}, 0},
	{"undefined", BYTES("\x41\x07\x06"), {{0, SP(8)}, {1, NONE}}, 0},
	{"the outermost frame", BYTES("\x07\x10"), {{0, LT_RULE_END}}, 0},
	{"register", BYTES("\x41\x09\x06\x03"), {{0, SP(8)}, {1, NONE}}, 0},
	{"return address in a register", BYTES("\x41\x09\x10\x02\x42\xd0"), {{0, SP(8)}, {1, NONE}, {3, SP(8)}}, 0},
	{"return address elsewhere", BYTES("\x41\x90\x02"), {{0, SP(8)}, {1, NONE}}, 0},
	{"stack pointer elsewhere", BYTES("\x41\x87\x02"), {{0, SP(8)}, {1, NONE}}, 0},
	{"stack pointer as usual", BYTES("\x41\x14\x07\x00"), {{0, SP(8)}}, 0},
	{"val_offset", BYTES("\x41\x14\x06\x02"), {{0, SP(8)}, {1, NONE}}, 0},
	{"val_offset_sf", BYTES("\x41\x15\x06\x02"), {{0, SP(8)}, {1, NONE}}, 0},
	{"remember and restore",
	 BYTES("\x41\x0e\x10\x86\x02\x0a\x41\x0c\x06\x20\xc6\x41\x0b"),
	 {{0, SP(8)}, {1, SP_SAVED(16, 16)}, {2, FP(32, 0)}, {3, SP_SAVED(16, 16)}},
	 0},
	{"nothing remembered", BYTES("\x41\x0b\x0e\x10"), {{0, SP(8)}, {1, NONE}}, 1},
	{"GNU_args_size, GNU_window_save", BYTES("\x41\x2e\x90\x01\x2d\x2c\x0e\x10"), {{0, SP(8)}, {1, SP(16)}}, 0},
	{"an unknown instruction", BYTES("\x41\x0e\x10\x42\x3f\x0e\x08"), {{0, SP(8)}, {1, SP(16)}, {3, NONE}}, 1},
	{"def_cfa_expression, unknown", BYTES("\x41\x0f\x02\x70\x08"), {{0, SP(8)}, {1, NONE}}, 0},
	{"plt",
	 BYTES("\x41\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"),
	 {{0, SP(8)}, {1, RULE(LT_RULE_PLT, 11, 1)}},
	 0},
	{"plt with endbr64",
	 BYTES("\x41\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3a\x2a\x33\x24\x22"),
	 {{0, SP(8)}, {1, RULE(LT_RULE_PLT, 10, 1)}},
	 0},
	{"not quite plt",
	 BYTES("\x41\x0f\x0b\x77\x08\x80\x00\x3e\x1a\x3b\x2a\x33\x24\x22"),
	 {{0, SP(8)}, {1, NONE}},
	 0},
	{"deref sp", BYTES("\x41\x0f\x03\x77\x08\x06"), {{0, SP(8)}, {1, RULE(LT_RULE_DEREF, 0, 1)}}, 0},
	{"deref fp, added",
	 BYTES("\x41\x0f\x05\x76\x70\x06\x23\x10"),
	 {{0, SP(8)}, {1, RULE(LT_RULE_DEREF, 1 | 2 << 2, -2)}},
	 0},
	{"added too much", BYTES("\x41\x0f\x06\x76\x70\x06\x23\x80\x01"), {{0, SP(8)}, {1, NONE}}, 0},
	{"realigned by gcc",
	 BYTES("\x41\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00"),
	 {{0, SP(8)}, {1, RULE(LT_RULE_DEREF, 3, -1)}},
	 0},
	{"deref, fp saved elsewhere", BYTES("\x41\x0f\x03\x76\x78\x06\x86\x02"), {{0, SP(8)}, {1, NONE}}, 0},
	{"val_expression", BYTES("\x41\x16\x06\x02\x76\x00"), {{0, SP(8)}, {1, NONE}}, 0},
	{"a register after an expression", /* as libgcc */
	 BYTES("\x0e\x18\x41\x0f\x02\x70\x08\x41\x0d\x07"),
	 {{0, SP(24)}, {1, NONE}, {2, SP(24)}},
	 0},
};

static void check(const struct program *p)
{
	struct unwind_table t;
	size_t i;

	begin_entries(&entries);
	put_fde(&entries, put_usual_cie(&entries), IMAGE_CODE, IMAGE_CODE_SIZE, p->bytes, p->n);
	build(&t);
	for (i = 0; !i || (i < 6 && p->expected[i].at); i++) {
		if (i + 1 >= t.rows.n || t.rows.at[i].pc != p->expected[i].at ||
		    t.rows.at[i].rule != p->expected[i].rule)
			fail_msg("%s: row %zu of %zu: %#x at %u, not %#x at %u", p->name, i, t.rows.n,
				 t.rows.at[i].rule, t.rows.at[i].pc, p->expected[i].rule, p->expected[i].at);
	}
	/* And the end of the code. */
	assert_int_equal(t.rows.n, i + 1);
	assert_int_equal(t.rows.at[i].pc, IMAGE_CODE_SIZE);
	assert_int_equal(t.rows.at[i].rule, LT_RULE_NONE);
	if (t.bad != p->bad)
		fail_msg("%s: %u bad", p->name, t.bad);
	unwind_table__free(&t);
}

static void instructions(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		check(&programs[i]);
}

static void set_loc(void **state)
{
	struct unwind_table t;
	uint8_t program[7] = {DW_CFA_set_loc, 0, 0, 0, 0, DW_CFA_def_cfa_offset, 16};
	int32_t distance;

	(void)state;
	begin_entries(&entries);
	put_usual_cie(&entries);
	/* The entry's length, CIE pointer, start, size, augmentation, and one byte of the program come before it. */
	distance = IMAGE_CODE + 0x123 - (int32_t)(IMAGE_EH_FRAME + entries.n + 18);
	memcpy(program + 1, &distance, sizeof(distance));
	put_fde(&entries, 0, IMAGE_CODE, IMAGE_CODE_SIZE, program, sizeof(program));
	build(&t);
	assert_int_equal(rule_at(&t, IMAGE_CODE + 0x122), SP(8));
	assert_int_equal(rule_at(&t, IMAGE_CODE + 0x123), SP(16));
	assert_int_equal(t.bad, 0);
	unwind_table__free(&t);
}

/* A signal frame is one only where its registers lie as the kernel puts them. */
static void signal_frames(void **state)
{
	static const uint8_t data = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
	static const uint8_t frame[] = "\x0f\x04\x77\xa0\x01\x06\x10\x10\x03\x77\xa8\x01\x10\x06\x03\x77\xf8";
	static const uint8_t other[] = "\x0f\x04\x77\xa0\x01\x06\x10\x10\x03\x77\xa8\x01\x10\x06\x03\x77\xf0";
	struct unwind_table t;
	uint8_t program[sizeof(frame)];
	size_t cie;

	(void)state;
	begin_entries(&entries);
	cie = put_cie(&entries, "zRS", &data, 1);
	memcpy(program, frame, sizeof(frame));
	program[sizeof(frame) - 1] = 0; /* the second byte of the last number */
	put_fde(&entries, cie, IMAGE_CODE, 0x100, program, sizeof(program));
	memcpy(program, other, sizeof(other));
	program[sizeof(other) - 1] = 0;
	put_fde(&entries, cie, IMAGE_CODE + 0x100, 0x100, program, sizeof(program));
	put_fde(&entries, cie, IMAGE_CODE + 0x200, 0x100, "", 0);
	build(&t);
	assert_int_equal(rule_at(&t, IMAGE_CODE), LT_RULE_SIGNAL);
	assert_int_equal(rule_at(&t, IMAGE_CODE + 0x100), LT_RULE_NONE);
	assert_int_equal(rule_at(&t, IMAGE_CODE + 0x200), LT_RULE_NONE);
	unwind_table__free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions),
		cmocka_unit_test(set_loc),
		cmocka_unit_test(signal_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
