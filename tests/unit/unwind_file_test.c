/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a file becomes a table: encodings of CIEs and FDEs, functions and gaps, segments, calls, where it is found.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "unwind_entries.h"

#define SP(offset) lt_rule_pack(LT_RULE_SP, 0, (offset) / 8)
#define CODE	   IMAGE_CODE

static struct image image;
static struct entries entries;

static void build(struct unwind_table *t, bool every_row)
{
	image__of(&image, &entries);
	assert_int_equal(image__build(t, &image, every_row), 0);
}

static uint32_t rule_at(const struct unwind_table *t, uint64_t pc)
{
	const struct lt_row *row = unwind_table__find(t, pc);

	return row ? row->rule : LT_RULE_NONE;
}

static uint32_t unmarked_at(const struct unwind_table *t, uint64_t pc)
{
	return rule_at(t, pc) & ~LT_RULE_INEXACT;
}

/* A function whose frame is `frame` bytes, the return address included. */
static void put_function(size_t cie, uint64_t start, uint32_t size, uint8_t frame)
{
	const uint8_t program[] = {DW_CFA_def_cfa_offset, frame};

	put_fde(&entries, cie, start, size, program, sizeof(program));
}

/* An FDE of [CODE, CODE + 0x70) with pointers of this encoding. */
static void put_encoded(uint8_t encoding)
{
	static const size_t sizes[16] = {8, 0, 2, 4, 8, 0, 0, 0, 8, 0, 2, 4, 8, 0, 0, 0};
	size_t cie = put_cie(&entries, "zR", &encoding, 1), n = sizes[encoding & 0xf];
	uint64_t start = CODE;

	begin_entry(&entries);
	put(&entries, entries.n - cie, 4);
	if ((encoding & 0x70) == DW_EH_PE_pcrel)
		start -= entries.address + entries.n;
	if ((encoding & 0xf) == DW_EH_PE_uleb128) {
		put_uleb(&entries, start);
		put_uleb(&entries, 0x70);
	} else if ((encoding & 0xf) == DW_EH_PE_sleb128) {
		put_sleb(&entries, (int64_t)start);
		put_sleb(&entries, 0x70);
	} else {
		put(&entries, start, n);
		put(&entries, 0x70, n);
	}
	put_uleb(&entries, 0);
	end_entry(&entries);
}

static void encodings(void **state)
{
	unsigned int form, i;
	static const uint8_t applied[] = {DW_EH_PE_absptr, DW_EH_PE_pcrel};
	struct unwind_table t;

	(void)state;
	for (i = 0; i < 2; i++) {
		for (form = 0; form < 16; form++) {
			bool known = form <= DW_EH_PE_udata8 || (form >= DW_EH_PE_signed && form <= DW_EH_PE_sdata8);
			bool fits = !applied[i] || form == DW_EH_PE_absptr || form == DW_EH_PE_udata8 ||
				    form >= DW_EH_PE_signed || form == DW_EH_PE_uleb128;

			begin_entries(&entries);
			put_encoded((uint8_t)(applied[i] | form));
			build(&t, true);
			if ((known && fits) != (rule_at(&t, CODE) == SP(8) && rule_at(&t, CODE + 0x6f) == SP(8)))
				fail_msg("encoding %#x", applied[i] | form);
			/* Without the length of a start address there is no way to tell where anything else is. */
			assert_true(known ? !fits || t.bad == 0 : t.bad == 1);
			unwind_table__free(&t);
		}
	}
}

static void encodings_of_no_use(void **state)
{
	static const uint8_t bad[] = {DW_EH_PE_omit,
				      DW_EH_PE_indirect | DW_EH_PE_pcrel | DW_EH_PE_sdata4,
				      DW_EH_PE_datarel | DW_EH_PE_sdata4,
				      DW_EH_PE_textrel | DW_EH_PE_sdata4,
				      DW_EH_PE_funcrel | DW_EH_PE_sdata4,
				      DW_EH_PE_aligned};
	struct unwind_table t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad); i++) {
		begin_entries(&entries);
		put_encoded(bad[i]);
		put_function(put_usual_cie(&entries), CODE + 0x100, 0x10, 16);
		build(&t, true);
		assert_int_equal(t.bad, 1);
		assert_int_equal(rule_at(&t, CODE), LT_RULE_GUESS);
		assert_int_equal(rule_at(&t, CODE + 0x100), SP(16));
		unwind_table__free(&t);
	}
}

/* Returns the rule of a function that belongs to such a CIE; it is to be SP(8). */
static uint32_t with_augmentation(const char *letters, const char *data, size_t n)
{
	struct unwind_table t;
	uint32_t rule;

	begin_entries(&entries);
	put_fde(&entries, put_cie(&entries, letters, data, n), CODE, 0x100, "", 0);
	build(&t, true);
	rule = rule_at(&t, CODE);
	assert_int_equal(t.bad, rule != SP(8));
	unwind_table__free(&t);
	return rule;
}

static void augmentations(void **state)
{
	(void)state;
	assert_int_equal(with_augmentation("zR", "\x1b", 1), SP(8));
	assert_int_equal(with_augmentation("zPLR", "\x9b\1\2\3\4\x1b\x1b", 7), SP(8));
	assert_int_equal(with_augmentation("zPLR", "\xff\x1b\x1b", 3), SP(8));
	assert_int_equal(with_augmentation("zRB", "\x1b", 1), SP(8));
	assert_int_equal(with_augmentation("zRG", "\x1b", 1), SP(8));
	/* More than the letters say is skipped. */
	assert_int_equal(with_augmentation("zR", "\x1b\1\2\3", 4), SP(8));
	/* Less is not. */
	assert_int_not_equal(with_augmentation("zRL", "\x1b", 1), SP(8));
	assert_int_not_equal(with_augmentation("zRP", "\x1b\x03\1", 3), SP(8));
	assert_int_not_equal(with_augmentation("z?R", "\x1b", 1), SP(8));
	assert_int_not_equal(with_augmentation("armcc+", "", 0), SP(8));
}

/* Without augmentation addresses are absolute, of eight bytes. */
static void put_plain(uint8_t version, const void *cie, size_t n)
{
	size_t at = entries.n;

	begin_entry(&entries);
	put(&entries, 0, 4);
	put(&entries, version, 1);
	put_bytes(&entries, cie, n);
	end_entry(&entries);
	begin_entry(&entries);
	put(&entries, entries.n - at, 4);
	put(&entries, CODE, 8);
	put(&entries, 0x100, 8);
	end_entry(&entries);
}

static uint32_t with_cie(uint8_t version, const void *cie, size_t n)
{
	struct unwind_table t;
	uint32_t rule;

	begin_entries(&entries);
	put_plain(version, cie, n);
	build(&t, true);
	rule = rule_at(&t, CODE);
	unwind_table__free(&t);
	return rule;
}

static void versions(void **state)
{
	(void)state;
	assert_int_equal(with_cie(1, "\0\1\x78\x10\x0c\7\x08\x90\1", 9), SP(8));
	assert_int_equal(with_cie(3, "\0\1\x78\x90\0\x0c\7\x08\x90\1", 10), SP(8));
	assert_int_equal(with_cie(4, "\0\x08\0\1\x78\x10\x0c\7\x08\x90\1", 11), SP(8));
	assert_int_equal(with_cie(1, "eh\0\1\2\3\4\5\6\7\x08\1\x78\x10\x0c\7\x08\x90\1", 19), SP(8));
	/* Four-byte addresses, segments, another version, the return address in another column. */
	assert_int_not_equal(with_cie(4, "\0\4\0\1\x78\x10\x0c\7\x08\x90\1", 11), SP(8));
	assert_int_not_equal(with_cie(4, "\0\x08\1\1\x78\x10\x0c\7\x08\x90\1", 11), SP(8));
	assert_int_not_equal(with_cie(2, "\0\1\x78\x10\x0c\7\x08\x90\1", 9), SP(8));
	assert_int_not_equal(with_cie(1, "\0\1\x78\x11\x0c\7\x08\x91\1", 9), SP(8));
	/* No rule for the return address, no rule at all, a program that breaks off. */
	assert_int_equal(with_cie(1, "\0\1\x78\x10\x0c\7\x08\0\0", 9), LT_RULE_NONE);
	assert_int_equal(with_cie(1, "\0\1\x78\x10", 4), LT_RULE_NONE);
	assert_int_equal(with_cie(1, "\0\1\x78\x10\x0c\7\x08\x90\1\x0f\x70", 11), LT_RULE_NONE);
	/* Restoring what is being defined. */
	assert_int_equal(with_cie(1, "\0\1\x78\x10\x0c\7\x08\x90\1\xc6", 10), LT_RULE_NONE);
}

/* 64-bit lengths. */
static void long_entries(void **state)
{
	static const uint8_t program[] = {DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};
	struct unwind_table t;

	(void)state;
	begin_entries(&entries);
	put(&entries, 0xffffffff, 4);
	put(&entries, 8 + 1 + 1 + 3 + sizeof(program), 8);
	put(&entries, 0, 8);
	put_bytes(&entries, "\1\0\1\x78\x10", 5);
	put_bytes(&entries, program, sizeof(program));
	put(&entries, 0xffffffff, 4);
	put(&entries, 24, 8);
	put(&entries, entries.n, 8);
	put(&entries, CODE, 8);
	put(&entries, 0x100, 8);
	build(&t, true);
	assert_int_equal(t.bad, 0);
	assert_int_equal(rule_at(&t, CODE), SP(8));
	unwind_table__free(&t);
}

/* Holes of up to 15 bytes are padding. */
static void gaps(void **state)
{
	struct unwind_table t;
	size_t cie;

	(void)state;
	begin_entries(&entries);
	cie = put_usual_cie(&entries);
	put_function(cie, CODE + 0x10, 0x10, 16);
	put_function(cie, CODE + 0x2f, 0x11, 24);
	put_function(cie, CODE + 0x50, 0x10, 32);
	build(&t, true);
	assert_int_equal(t.base, CODE);
	assert_int_equal(t.rows.n, 7);
	assert_int_equal(rule_at(&t, CODE), LT_RULE_GUESS);
	assert_int_equal(rule_at(&t, CODE + 0x10), SP(16));
	assert_int_equal(rule_at(&t, CODE + 0x2e), SP(16));
	assert_int_equal(rule_at(&t, CODE + 0x2f), SP(24));
	assert_int_equal(rule_at(&t, CODE + 0x40), LT_RULE_GUESS);
	assert_int_equal(rule_at(&t, CODE + 0x50), SP(32));
	assert_int_equal(rule_at(&t, CODE + 0x60), LT_RULE_GUESS);
	assert_int_equal(rule_at(&t, CODE + 0xfff), LT_RULE_GUESS);
	assert_int_equal(rule_at(&t, CODE + 0x1000), LT_RULE_NONE);
	assert_null(unwind_table__find(&t, CODE - 1));
	assert_int_equal(t.unsupported, 0);
	unwind_table__free(&t);
}

static void functions_in_disorder(void **state)
{
	struct unwind_table t;
	size_t cie;

	(void)state;
	begin_entries(&entries);
	cie = put_usual_cie(&entries);
	put_function(cie, CODE + 0x300, 0x100, 40);
	put_function(cie, CODE, 0x100, 16);
	put_function(cie, CODE + 0x80, 0x20, 24);  /* inside another */
	put_function(cie, CODE + 0x300, 0x80, 48); /* as another */
	put_function(cie, CODE + 0x200, 0, 56);	   /* nothing */
	put_function(cie, CODE + 0xff0, 0x100, 64);
	put_function(cie, 0x8000, 0x100, 72); /* no code there */
	build(&t, true);
	assert_int_equal(rule_at(&t, CODE), SP(16));
	assert_int_equal(rule_at(&t, CODE + 0x80), SP(24));
	/* As the loader sees it: the last start before it is that of the one inside. */
	assert_int_equal(rule_at(&t, CODE + 0xa0), LT_RULE_GUESS);
	assert_int_equal(rule_at(&t, CODE + 0x200), LT_RULE_GUESS);
	assert_int_equal(rule_at(&t, CODE + 0x300), SP(40));
	assert_int_equal(rule_at(&t, CODE + 0x3f0), SP(40));
	assert_int_equal(rule_at(&t, CODE + 0xfff), SP(64));
	assert_int_equal(rule_at(&t, CODE + 0x1000), LT_RULE_NONE);
	assert_int_equal(t.bad, 1);
	unwind_table__free(&t);
}

static void restorer_without_information(void **state)
{
	static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	struct unwind_table t;

	(void)state;
	begin_entries(&entries);
	put_function(put_usual_cie(&entries), CODE, 0x100, 16);
	image__of(&image, &entries);
	memcpy(image.bytes + CODE + 0x100, code, sizeof(code));
	memcpy(image.bytes + CODE + 0x200, code, sizeof(code));
	memcpy(image.bytes + CODE + 0x1000 - sizeof(code), code, sizeof(code));
	assert_int_equal(image__build(&t, &image, false), 0);
	assert_int_equal(unmarked_at(&t, CODE + 0xfe), SP(16));
	assert_int_equal(unmarked_at(&t, CODE + 0xff), LT_RULE_SIGNAL);
	assert_int_equal(unmarked_at(&t, CODE + 0x108), LT_RULE_SIGNAL);
	assert_int_equal(unmarked_at(&t, CODE + 0x1ff), LT_RULE_SIGNAL);
	assert_int_equal(unmarked_at(&t, CODE + 0xff6), LT_RULE_SIGNAL);
	assert_int_equal(unmarked_at(&t, CODE + 0xfff), LT_RULE_SIGNAL);
	unwind_table__free(&t);
}

/* Is there a row for a function of just these bytes, between two without a call? */
static bool is_kept(const char *code, size_t n)
{
	struct unwind_table t;
	size_t cie;
	bool kept;

	begin_entries(&entries);
	cie = put_usual_cie(&entries);
	put_function(cie, CODE, 0x100, 16);
	put_function(cie, CODE + 0x100, (uint32_t)n, 24);
	put_function(cie, CODE + 0x100 + n, 0x100, 16);
	image__of(&image, &entries);
	memcpy(image.bytes + CODE + 0x100, code, n);
	assert_int_equal(image__build(&t, &image, false), 0);
	kept = unmarked_at(&t, CODE + 0x100) == SP(24);
	unwind_table__free(&t);
	return kept;
}

#define KEPT(text) is_kept(text, sizeof(text) - 1)

static void calls(void **state)
{
	(void)state;
	assert_true(KEPT("\xe8\0\0\0\0"));
	assert_true(KEPT("\x90\x90\xe8\0\0\0\0\x90"));
	assert_false(KEPT("\x90\x90\xe8\0\0\0"));
	assert_true(KEPT("\xff\xd0"));	       /* call *%rax */
	assert_true(KEPT("\x41\xff\xd4"));     /* call *%r12 */
	assert_true(KEPT("\xff\x15\0\0\0\0")); /* call *x(%rip) */
	assert_false(KEPT("\xff\x15\0\0\0"));  /* its last byte is missing */
	assert_true(KEPT("\xff\x10"));	       /* call *(%rax) */
	assert_true(KEPT("\xff\x50\x08"));     /* call *8(%rax) */
	assert_false(KEPT("\xff\x50"));
	assert_true(KEPT("\xff\x14\x24"));	   /* call *(%rsp) */
	assert_true(KEPT("\xff\x54\x24\x08"));	   /* call *8(%rsp) */
	assert_true(KEPT("\xff\x94\x24\0\1\0\0")); /* call *256(%rsp) */
	assert_false(KEPT("\xff\x94\x24\0\1\0"));
	assert_true(KEPT("\xff\x14\xc5\0\0\0\0")); /* call *x(,%rax,8) */
	assert_false(KEPT("\xff\x14\xc5\0\0\0"));
	assert_true(KEPT("\xff\x90\0\1\0\0"));	    /* call *256(%rax) */
	assert_true(KEPT("\x48\xff\x18"));	    /* lcall *(%rax) */
	assert_false(KEPT("\xff\xe0"));		    /* jmp *%rax */
	assert_false(KEPT("\xff\x25\0\0\0\0"));	    /* jmp *x(%rip) */
	assert_false(KEPT("\xff\x75\x10\xff\xc0")); /* push, inc */
	assert_true(KEPT("\xff\xff\xd0"));
}

/* What lost a row between it and the next is marked, and nothing else. */
static void marks(void **state)
{
	struct unwind_table t;
	size_t cie;

	(void)state;
	begin_entries(&entries);
	cie = put_usual_cie(&entries);
	put_function(cie, CODE, 0x100, 16);
	put_function(cie, CODE + 0x100, 0x100, 24); /* with a call */
	put_function(cie, CODE + 0x200, 0x100, 32); /* lost */
	put_function(cie, CODE + 0x300, 0x100, 24); /* the same as before what was lost */
	put_function(cie, CODE + 0x400, 0xc00, 40); /* with a call */
	image__of(&image, &entries);
	image.bytes[CODE + 0x100] = 0xe8;
	image.bytes[CODE + 0x300] = 0xe8;
	image.bytes[CODE + 0x400] = 0xe8;
	assert_int_equal(image__build(&t, &image, false), 0);
	assert_int_equal(t.rows.n, 4);
	assert_int_equal(t.rows.at[0].rule, SP(16));
	assert_int_equal(t.rows.at[1].rule, SP(24) | LT_RULE_INEXACT);
	assert_int_equal(t.rows.at[2].pc, 0x400);
	assert_int_equal(t.rows.at[2].rule, SP(40));
	assert_int_equal(t.rows.at[3].pc, 0x1000);
	unwind_table__free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodings),
		cmocka_unit_test(encodings_of_no_use),
		cmocka_unit_test(augmentations),
		cmocka_unit_test(versions),
		cmocka_unit_test(long_entries),
		cmocka_unit_test(gaps),
		cmocka_unit_test(functions_in_disorder),
		cmocka_unit_test(restorer_without_information),
		cmocka_unit_test(calls),
		cmocka_unit_test(marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
