/* SPDX-License-Identifier: GPL-2.0-only */
/* Sections of unwind information made by hand: what is let through to libdw, and what is not. */
#include <dwarf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "random_numbers.h"
#include "unwind/cfi_check.h"

static uint8_t section[1 << 20];
static size_t used;

static void put(const void *bytes, size_t n)
{
	assert_true(used + n <= sizeof(section));
	memcpy(section + used, bytes, n);
	used += n;
}

static void put32(uint32_t v)
{
	put(&v, sizeof(v));
}

#define PUT(...) put((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* An entry's length is known at its end. */
static size_t begin(uint32_t id)
{
	size_t at = used;

	put32(0);
	put32(id);
	return at;
}

static void end(size_t at)
{
	uint32_t length = (uint32_t)(used - at - 4);

	memcpy(section + at, &length, sizeof(length));
}

/* Version, code and data alignment, return address column; "zR" with pcrel sdata4. */
static void put_cie_head(void)
{
	PUT(1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b);
}

static size_t put_cie(void)
{
	size_t at = begin(0);

	put_cie_head();
	PUT(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1);
	end(at);
	return at;
}

static size_t begin_fde(size_t cie)
{
	size_t at = begin((uint32_t)(used + 4 - cie));

	put32(0x1000);
	put32(0x100);
	PUT(0);
	return at;
}

/* Checked in a block of its own, so that a read beyond its end is seen. */
static int check_as(enum cfi_section kind, bool to_terminator, size_t *size)
{
	uint8_t *copy = malloc(used ? used : 1);
	struct cfi_entries *e;
	int why;

	memcpy(copy, section, used);
	*size = used;
	e = cfi_check(copy, size, kind, to_terminator, &why);
	assert_int_equal(!e, why != 0);
	cfi_entries__free(e);
	free(copy);
	return why;
}

static int check(void)
{
	size_t size;

	return check_as(CFI_EH_FRAME, false, &size);
}

static int check_program(const uint8_t *program, size_t n)
{
	size_t cie, fde;

	used = 0;
	cie = put_cie();
	fde = begin_fde(cie);
	put(program, n);
	end(fde);
	return check();
}

#define assert_program(want, ...)                                                                                      \
	assert_int_equal(check_program((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})), want)

static void instructions(void **state)
{
	(void)state;
	assert_program(0, DW_CFA_nop);
	assert_program(0, DW_CFA_advance_loc | 5, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2, DW_CFA_restore | 6);
	assert_program(0, DW_CFA_advance_loc1, 1, DW_CFA_advance_loc2, 1, 0, DW_CFA_advance_loc4, 1, 0, 0, 0);
	assert_program(0, DW_CFA_set_loc, 1, 2, 3, 4);
	assert_program(0, DW_CFA_def_cfa_expression, 3, 0x77, 8, 0x06, DW_CFA_expression, 6, 2, 0x76, 0);
	assert_program(0, DW_CFA_remember_state, DW_CFA_restore_state, DW_CFA_GNU_args_size, 0x80, 1);
	assert_program(0, DW_CFA_undefined, 125, DW_CFA_same_value, 0xff, 1);
	/* Cut in the middle. */
	assert_program(-EBADMSG, DW_CFA_advance_loc1);
	assert_program(-EBADMSG, DW_CFA_advance_loc4, 1, 2, 3);
	assert_program(-EBADMSG, DW_CFA_set_loc, 1, 2, 3);
	assert_program(-EBADMSG, DW_CFA_offset | 6);
	assert_program(-EBADMSG, DW_CFA_def_cfa, 7, 0x80);
	assert_program(-EBADMSG, DW_CFA_def_cfa_expression, 4, 1, 2, 3);
	/* Nothing is executed from there on. */
	assert_program(0, 0x3e, DW_CFA_undefined, 0xff, 0xff, 0x7f);
}

static void register_numbers(void **state)
{
	static const uint8_t ops[] = {DW_CFA_offset_extended,
				      DW_CFA_restore_extended,
				      DW_CFA_undefined,
				      DW_CFA_same_value,
				      DW_CFA_register,
				      DW_CFA_expression,
				      DW_CFA_val_expression,
				      DW_CFA_offset_extended_sf,
				      DW_CFA_val_offset,
				      DW_CFA_val_offset_sf,
				      DW_CFA_GNU_negative_offset_extended};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ops); i++) {
		assert_program(0, ops[i], 0xff, 0x01, 0);
		assert_program(-EBADMSG, ops[i], 0x80, 0x02, 0);
		assert_program(-EBADMSG, ops[i], 0xff, 0xff, 0xff, 0x3f, 0);
		assert_program(-EBADMSG, ops[i], 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01);
	}
}

static void sizes(void **state)
{
	static uint8_t program[300 << 10];
	unsigned int i;

	(void)state;
	assert_int_equal(check_program(program, 200 << 10), 0);
	assert_int_equal(check_program(program, sizeof(program)), -EBADMSG);
	for (i = 0; i < 65; i++)
		program[i] = DW_CFA_remember_state;
	assert_int_equal(check_program(program, 64), 0);
	assert_int_equal(check_program(program, 65), -EBADMSG);
	for (i = 0; i < 1000; i++)
		program[i] = i % 2 ? DW_CFA_restore_state : DW_CFA_remember_state;
	assert_int_equal(check_program(program, 1000), 0);
	memcpy(program, (uint8_t[]){DW_CFA_def_cfa_expression, 0x80, 0x08}, 3);
	assert_int_equal(check_program(program, 3 + 1024), 0);
	memcpy(program, (uint8_t[]){DW_CFA_def_cfa_expression, 0x81, 0x08}, 3);
	assert_int_equal(check_program(program, 3 + 1025), -EBADMSG);
}

static int check_cie(const uint8_t *bytes, size_t n)
{
	size_t at;

	used = 0;
	at = begin(0);
	put(bytes, n);
	end(at);
	return check();
}

#define assert_cie(want, ...)                                                                                          \
	assert_int_equal(check_cie((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})), want)

static void augmentations(void **state)
{
	(void)state;
	assert_cie(0, 1, 0, 1, 0x78, 16);
	assert_cie(0, 3, 'z', 'P', 'L', 'R', 0, 1, 0x78, 16, 7, 0x9b, 1, 2, 3, 4, 0x1b, 0x1b);
	assert_cie(0, 1, 'z', 'R', 'S', 0, 1, 0x78, 16, 1, 0x1b);
	assert_cie(0, 1, 'z', 0, 1, 0x78, 16, 0);
	/* More data than the letters use. */
	assert_cie(0, 1, 'z', 'R', 0, 1, 0x78, 16, 2, 0x1b, 0);
	/* Less. */
	assert_cie(-EBADMSG, 1, 'z', 'R', 0, 1, 0x78, 16, 0);
	assert_cie(-EBADMSG, 1, 'z', 'P', 'L', 'R', 0, 1, 0x78, 16, 4, 0x9b, 1, 2, 3, 4, 0x1b, 0x1b);
	assert_cie(-EBADMSG, 1, 'z', 'R', 0, 1, 0x78, 16, 9, 0x1b);
	/* A personality of unknown length, encodings that nobody writes. */
	assert_cie(-EBADMSG, 1, 'z', 'P', 0, 1, 0x78, 16, 2, DW_EH_PE_uleb128, 0x80);
	assert_cie(-EBADMSG, 1, 'z', 'R', 0, 1, 0x78, 16, 1, DW_EH_PE_uleb128);
	assert_cie(-EBADMSG, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x9b);
	assert_cie(-EBADMSG, 1, 'z', 'R', 0, 1, 0x78, 16, 1, DW_EH_PE_aligned);
	assert_cie(-EBADMSG, 1, 'z', 'R', 0, 1, 0x78, 16, 1, DW_EH_PE_omit);
	assert_cie(-EBADMSG, 1, 'e', 'h', 0, 1, 0x78, 16);
	assert_cie(-EBADMSG, 1, 'R', 0, 1, 0x78, 16, 0x1b);
	assert_cie(-EBADMSG, 1, 'z', 'P', 'P', 'P', 'P', 'P', 'P', 'P', 'P', 0, 1, 0x78, 16, 0);
	assert_cie(-EBADMSG, 1, 'z', 'R', 'R');
	assert_cie(-EBADMSG, 2, 0, 1, 0x78, 16);
	assert_cie(-EBADMSG, 4, 0, 8, 0, 1, 0x78, 16);
	assert_cie(-EBADMSG, 3, 0, 1, 0x78, 0xff, 0xff, 1);
}

static void pointers_to_cies(void **state)
{
	size_t cie, fde;

	(void)state;
	used = 0;
	cie = put_cie();
	fde = begin_fde(cie + 1);
	end(fde);
	assert_int_equal(check(), -EBADMSG);
	used = 0;
	cie = put_cie();
	fde = begin_fde(cie);
	end(fde);
	assert_int_equal(check(), 0);
	/* To an FDE; before the section. */
	end(begin_fde(fde));
	assert_int_equal(check(), -EBADMSG);
	used = 0;
	end(begin_fde((size_t)-100));
	assert_int_equal(check(), -EBADMSG);
}

static void lengths(void **state)
{
	size_t cie, size;

	(void)state;
	used = 0;
	assert_int_equal(check(), 0);
	cie = put_cie();
	end(begin_fde(cie));
	size = used;
	put32(0);
	put_cie();
	assert_int_equal(check(), 0);
	put32(UINT32_MAX);
	put32(UINT32_MAX);
	put32(UINT32_MAX);
	assert_int_equal(check(), -EBADMSG);
	/* With a terminator, what follows is none of it. */
	assert_int_equal(check_as(CFI_EH_FRAME, true, &cie), 0);
	assert_int_equal(cie, size + 4);
	used = 0;
	put32(100);
	assert_int_equal(check(), -EBADMSG);
	used = 0;
	put32(2);
	PUT(0, 0);
	assert_int_equal(check(), -EBADMSG);
	used = 0;
	PUT(1, 2, 3);
	assert_int_equal(check(), -EBADMSG);
}

static void debug_frame(void **state)
{
	size_t at, size;

	(void)state;
	used = 0;
	at = begin(DW_CIE_ID_32);
	PUT(4, 0, 8, 0, 1, 0x78, 16, DW_CFA_def_cfa, 7, 8);
	end(at);
	at = begin(0);
	PUT(0, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, DW_CFA_nop);
	end(at);
	assert_int_equal(check_as(CFI_DEBUG_FRAME, false, &size), 0);
	/* A CIE that is none. */
	at = begin(4);
	PUT(0, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, DW_CFA_nop);
	end(at);
	assert_int_equal(check_as(CFI_DEBUG_FRAME, false, &size), -EBADMSG);
}

#define HDR   0x2000ull
#define FRAME 0x3000ull

static bool check_table(const uint32_t *hdr, size_t words)
{
	size_t size = used;
	struct cfi_entries *e;
	bool ok;
	int why;

	e = cfi_check(section, &size, CFI_EH_FRAME, false, &why);
	assert_non_null(e);
	ok = cfi_check__search_table(e, (const uint8_t *)hdr, words * 4, HDR, FRAME);
	cfi_entries__free(e);
	return ok;
}

static void search_tables(void **state)
{
	uint32_t hdr[] = {0x3b031b01, FRAME - HDR - 4, 1, 0x5000, 0};
	size_t cie, i;

	(void)state;
	used = 0;
	cie = put_cie();
	hdr[4] = (uint32_t)(FRAME - HDR + used);
	end(begin_fde(cie));
	assert_true(check_table(hdr, 5));
	for (i = 0; i < 5; i++)
		assert_false(check_table(hdr, i));
	for (i = 1; i < 5; i++) {
		hdr[i]++;
		assert_int_equal(check_table(hdr, 5), i == 3);
		hdr[i]--;
	}
	hdr[0]++;
	assert_false(check_table(hdr, 5));
	hdr[0]--;
	hdr[2] = 0;
	assert_false(check_table(hdr, 5));
	hdr[2] = UINT32_MAX;
	assert_false(check_table(hdr, 5));
	hdr[2] = 1;
	hdr[4] = (uint32_t)(FRAME - HDR + cie);
	assert_false(check_table(hdr, 5));
	hdr[4] = UINT32_MAX;
	assert_false(check_table(hdr, 5));
}

/* Whatever the bytes are, the check ends and stays inside (this is worth the most with sanitizers). */
static void any_bytes(void **state)
{
	static uint8_t whole[256];
	uint64_t random = RANDOM_SEED;
	size_t cie, n, size;
	unsigned int i;

	(void)state;
	used = 0;
	cie = put_cie();
	end(begin_fde(cie));
	n = used;
	memcpy(whole, section, n);
	for (i = 0; i < 200000; i++) {
		next_random(&random);
		memcpy(section, whole, n);
		section[random % n] = (uint8_t)(random >> 32);
		section[(random >> 8) % n] = (uint8_t)(random >> 40);
		used = n - (random >> 16) % 4;
		check_as(random & 1 << 20 ? CFI_DEBUG_FRAME : CFI_EH_FRAME, random & 1 << 21, &size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions),	 cmocka_unit_test(register_numbers), cmocka_unit_test(sizes),
		cmocka_unit_test(augmentations), cmocka_unit_test(pointers_to_cies), cmocka_unit_test(lengths),
		cmocka_unit_test(debug_frame),	 cmocka_unit_test(search_tables),    cmocka_unit_test(any_bytes),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
