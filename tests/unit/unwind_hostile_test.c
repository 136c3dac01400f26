/* SPDX-License-Identifier: GPL-2.0-only */
/* Unwind information that is broken, by accident or on purpose: it takes no time, no memory, and gives no wild rows. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "unwind_entries.h"

#define CODE	     IMAGE_CODE
#define SOME_SECONDS 20 /* under sanitizers, on a busy machine */

static struct image image;
static struct entries entries;

/* Any result will do, but for rows that are in disorder. */
static int build_anything(struct unwind_table *t)
{
	time_t start = time(NULL);
	int err = image__build(t, &image, true);
	size_t i;

	assert_true(err <= 0);
	for (i = 1; i < t->rows.n; i++)
		assert_true(t->rows.at[i - 1].pc < t->rows.at[i].pc);
	if (time(NULL) - start > SOME_SECONDS)
		fail_msg("took %ld s", (long)(time(NULL) - start));
	return err;
}

static int build_and_forget(void)
{
	struct unwind_table t;
	int err = build_anything(&t);

	unwind_table__free(&t);
	return err;
}

/* Something of everything. */
static void make_sample(void)
{
	static const uint8_t program[] =
		"\x41\x0e\x10\x86\x02\x0a\x43\x0d\x06\x02\x10\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"
		"\x03\x10\x00\x0f\x03\x76\x78\x06\x10\x06\x02\x76\x00\x04\x10\x00\x00\x00\x0b\x2e\x10\x14\x03\x01"
		"\x41\x0c\x07\x88\x01\x11\x06\x02\x09\x03\x04\x07\x10";
	size_t cie;

	begin_entries(&entries);
	cie = put_cie(&entries, "zPLR", "\x9b\1\2\3\4\x1b\x1b", 7);
	put_fde(&entries, cie, CODE, 0x200, program, sizeof(program) - 1);
	cie = put_usual_cie(&entries);
	put_fde(&entries, cie, CODE + 0x200, 0x100, program, sizeof(program) - 1);
	image__of(&image, &entries);
}

static void truncated(void **state)
{
	size_t whole, cut;

	(void)state;
	make_sample();
	assert_int_equal(build_and_forget(), 0);
	whole = image.n;
	for (cut = 0; cut < whole; cut += cut < IMAGE_HDR - 8 && cut > 256 ? 64 : 1) {
		image.n = cut;
		build_and_forget();
	}
	/* The section alone, as its own segment has it. */
	image.n = whole;
	for (cut = IMAGE_HDR; cut < whole; cut++) {
		image__phdr(&image, 1)->p_filesz = cut - IMAGE_HDR;
		assert_int_equal(build_and_forget(), 0);
	}
}

static void every_byte_changed(void **state)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	size_t at, i;
	uint8_t was;

	(void)state;
	make_sample();
	for (at = 0; at < image.n; at++) {
		if (at >= 256 && at < IMAGE_HDR)
			continue;
		was = image.bytes[at];
		for (i = 0; i < sizeof(values); i++) {
			image.bytes[at] = values[i];
			build_and_forget();
		}
		image.bytes[at] = was;
	}
}

static void lengths(void **state)
{
	static const uint32_t values[] = {1, 2, 3, 4, 5, 8, 0x7fffffff, 0xfffffff0, 0xfffffffe, 0xffffffff};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		make_sample();
		memcpy(image.bytes + IMAGE_EH_FRAME, &values[i], 4);
		build_and_forget();
	}
	for (i = 0; i < 16; i++) {
		const uint64_t length = UINT64_MAX - i;

		make_sample();
		memset(image.bytes + IMAGE_EH_FRAME, 0xff, 4);
		memcpy(image.bytes + IMAGE_EH_FRAME + 4, &length, 8);
		build_and_forget();
	}
}

/* The pointer to the CIE: to each place there is, to itself, to an FDE, out of the section. */
static void cie_pointers(void **state)
{
	struct unwind_table t;
	size_t fde, id;
	uint32_t pointer;

	(void)state;
	begin_entries(&entries);
	put_usual_cie(&entries);
	fde = entries.n;
	put_fde(&entries, 0, CODE, 0x100, "", 0);
	image__of(&image, &entries);
	id = fde + 4;
	for (pointer = 1; pointer < 0x200; pointer++) {
		memcpy(image.bytes + IMAGE_EH_FRAME + id, &pointer, 4);
		assert_int_equal(build_anything(&t), 0);
		assert_int_equal(t.without_rows, pointer != id);
		unwind_table__free(&t);
	}
	for (pointer = 0xfffffe00; pointer; pointer++) {
		memcpy(image.bytes + IMAGE_EH_FRAME + id, &pointer, 4);
		assert_int_equal(build_anything(&t), 0);
		assert_int_equal(t.without_rows, 1);
		unwind_table__free(&t);
	}
}

/* The rule after a program over all of the code, and whether it was found bad. */
static uint32_t rule_after(const uint8_t *program, size_t n, uint32_t *bad)
{
	struct unwind_table t;
	uint32_t rule;

	begin_entries(&entries);
	put_fde(&entries, put_usual_cie(&entries), CODE, IMAGE_CODE_SIZE, program, n);
	image__of(&image, &entries);
	assert_int_equal(build_anything(&t), 0);
	rule = unwind_table__find(&t, CODE + IMAGE_CODE_SIZE - 1)->rule;
	*bad = t.bad;
	unwind_table__free(&t);
	return rule;
}

static void programs(void **state)
{
	static uint8_t p[59999]; /* no padding after it */
	uint32_t bad;

	(void)state;
	/* 64 states are remembered, no more. */
	memset(p, DW_CFA_remember_state, 65);
	assert_int_equal(rule_after(p, 64, &bad), lt_rule_pack(LT_RULE_SP, 0, 1));
	assert_int_equal(bad, 0);
	assert_int_equal(rule_after(p, 65, &bad), LT_RULE_NONE);
	assert_int_equal(bad, 1);
	/* A number without an end. */
	memset(p, 0x80, sizeof(p));
	p[0] = DW_CFA_def_cfa_offset;
	assert_int_equal(rule_after(p, sizeof(p), &bad), LT_RULE_NONE);
	assert_int_equal(bad, 1);
	/* A long one. */
	p[sizeof(p) - 1] = 0;
	assert_int_equal(rule_after(p, sizeof(p), &bad), lt_rule_pack(LT_RULE_SP, 0, 0));
	assert_int_equal(bad, 0);
	/* An expression that is longer than the rest. */
	assert_int_equal(rule_after((const uint8_t *)"\x0f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x06", 12, &bad),
			 LT_RULE_NONE);
	assert_int_equal(bad, 1);
	assert_int_equal(rule_after((const uint8_t *)"\x10\x06\x7f\x76", 4, &bad), LT_RULE_NONE);
	assert_int_equal(bad, 1);
	/* An empty one. */
	assert_int_equal(rule_after((const uint8_t *)"\x0f\x00", 2, &bad), LT_RULE_NONE);
	assert_int_equal(bad, 0);
	/* Back to where it was. */
	assert_int_equal(rule_after((const uint8_t *)"\x44\x01\xcd\xe0\xff\xff", 6, &bad), LT_RULE_NONE);
	assert_int_equal(bad, 1);
}

/*
 * A table of many entries, of which each program is all that follows: what is interpreted is limited. And the same
 * entry very often is one function.
 */
static void many_entries(void **state)
{
	enum { N = 60000, HDR_TABLE = 12 };
	uint32_t i, all = IMAGE_MAX - IMAGE_HDR;
	uint8_t *hdr = image.bytes + IMAGE_HDR;
	const int32_t first = HDR_TABLE + N * 8, pointer = first - 4;
	struct unwind_table t;

	(void)state;
	begin_entries(&entries);
	put_usual_cie(&entries);
	image__of(&image, &entries);
	memcpy(hdr, "\1\x1b\x03\x3b", 4);
	memcpy(hdr + 4, &pointer, 4);
	i = N;
	memcpy(hdr + 8, &i, 4);
	memset(hdr + first, 0, all - (uint32_t)first);
	memcpy(hdr + first, entries.bytes, entries.n);
	for (i = 0; i < N; i++) {
		int32_t at = first + (int32_t)entries.n + (int32_t)(i % 20000) * 20, values[4];

		memcpy(hdr + HDR_TABLE + 8 * (size_t)i + 4, &at, 4);
		values[0] = (int32_t)all - at - 4;
		values[1] = at + 4 - first;
		values[2] = IMAGE_CODE + (int32_t)(i % 4000) - (IMAGE_HDR + at + 8);
		values[3] = 4096;
		memcpy(hdr + at, values, sizeof(values));
	}
	image__phdr(&image, 1)->p_filesz = all;
	image.n = IMAGE_MAX;
	assert_int_equal(build_anything(&t), -EFBIG);
	unwind_table__free(&t);
	for (i = 0; i < N; i++)
		memcpy(hdr + HDR_TABLE + 8 * (size_t)i + 4, hdr + HDR_TABLE + 4, 4);
	assert_int_equal(build_anything(&t), 0);
	assert_int_equal(t.without_rows, 0);
	unwind_table__free(&t);
	/* And more of them than the file has. */
	memset(hdr + 8, 0xff, 4);
	build_and_forget();
}

static void program_headers(void **state)
{
	static const uint64_t values[] = {0,	      1,	  0xfff,     0x1000,	 0x7fffffff,
					  0xffffffff, 1ULL << 32, INT64_MAX, 1ULL << 63, UINT64_MAX - 0xfff,
					  UINT64_MAX};
	unsigned int i, field, ph;

	(void)state;
	for (ph = 0; ph < 3; ph++) {
		for (field = 1; field < sizeof(Elf64_Phdr) / 8; field++) {
			for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
				make_sample();
				memcpy((uint64_t *)image__phdr(&image, ph) + field, &values[i], 8);
				build_and_forget();
			}
		}
	}
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		make_sample();
		image__ehdr(&image)->e_phoff = values[i];
		build_and_forget();
		make_sample();
		image__ehdr(&image)->e_phnum = (uint16_t)values[i];
		build_and_forget();
		make_sample();
		image__ehdr(&image)->e_shoff = values[i];
		image__ehdr(&image)->e_shnum = 1000;
		image__phdr(&image, 2)->p_type = PT_NULL;
		build_and_forget();
	}
}

/* Two segments of code 4 GiB apart: row addresses have 32 bits. */
static void far_apart(void **state)
{
	(void)state;
	make_sample();
	*image__phdr(&image, 2) = *image__phdr(&image, 0);
	image__phdr(&image, 2)->p_vaddr += 1ULL << 32;
	/* Without a header there is nothing to find. */
	assert_int_equal(build_and_forget(), 0);
	make_sample();
	memmove(image__phdr(&image, 3), image__phdr(&image, 0), sizeof(Elf64_Phdr));
	image__phdr(&image, 3)->p_vaddr += 1ULL << 32;
	image__ehdr(&image)->e_phnum = 4;
	assert_int_equal(build_and_forget(), -EFBIG);
}

static void no_file_of_ours(void **state)
{
	const struct unwind_table_options o = {};
	struct module m = {.fd = -1, .open_error = -EACCES, .root_fd = -1};
	struct unwind_table t;

	(void)state;
	assert_int_equal(unwind_table__build(&t, &m, &o), -EACCES);
	unwind_table__free(&t);
	make_sample();
	image__ehdr(&image)->e_machine = EM_AARCH64;
	assert_int_equal(build_and_forget(), -ENOEXEC);
	make_sample();
	image__ehdr(&image)->e_type = ET_REL;
	assert_int_equal(build_and_forget(), -ENOEXEC);
	make_sample();
	image__ehdr(&image)->e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(build_and_forget(), -ENOEXEC);
	make_sample();
	image__ehdr(&image)->e_ident[0] = '#';
	assert_int_equal(build_and_forget(), -ENOEXEC);
	image.n = 0;
	assert_int_equal(build_and_forget(), -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncated),	   cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(lengths),	   cmocka_unit_test(cie_pointers),
		cmocka_unit_test(programs),	   cmocka_unit_test(many_entries),
		cmocka_unit_test(program_headers), cmocka_unit_test(far_apart),
		cmocka_unit_test(no_file_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
