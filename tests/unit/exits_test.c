/* SPDX-License-Identifier: GPL-2.0-only */
/* All ways out of a function: those that can be probed, and those that make it a function that cannot be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "code_bytes.h"
#include "probe/exits.h"

/* What is elsewhere: functions that are probed, and parts of the function. */
struct elsewhere {
	uint64_t probed[4];
	struct code parts[12];
	unsigned int asked;
};

static struct code fragment(void *ctx, uint64_t vaddr)
{
	struct elsewhere *w = ctx;
	size_t i;

	w->asked++;
	for (i = 0; i < sizeof(w->parts) / sizeof(w->parts[0]); i++) {
		if (w->parts[i].n && vaddr >= w->parts[i].vaddr && vaddr - w->parts[i].vaddr < w->parts[i].n)
			return w->parts[i];
	}
	return (struct code){.vaddr = vaddr};
}

static bool is_probed(void *ctx, uint64_t vaddr)
{
	const struct elsewhere *w = ctx;
	size_t i;

	for (i = 0; i < sizeof(w->probed) / sizeof(w->probed[0]); i++) {
		if (w->probed[i] == vaddr)
			return true;
	}
	return false;
}

static int find_in(struct exits *x, const struct code *code, struct elsewhere *w, struct err *e)
{
	const struct exits_source from = {.fragment = fragment, .is_probed = is_probed, .ctx = w};
	int err;

	e->text[0] = '\0';
	err = exits__find(x, code, &from, e);
	assert_int_equal(err != 0, e->text[0] != '\0');
	return err;
}

static struct code part_at(uint64_t offset, const char *hex)
{
	struct code code = code_of(hex);

	code.vaddr = CODE_VADDR + offset;
	return code;
}

/* Its rets are at these offsets, in this order. */
static void assert_rets(const char *hex, struct elsewhere *w, const uint64_t *want, size_t n)
{
	struct code code = code_of(hex);
	struct elsewhere nothing = {};
	struct exits x;
	struct err e;
	size_t i;

	if (find_in(&x, &code, w ? w : &nothing, &e))
		fail_msg("%s: %s", hex, e.text);
	assert_int_equal(x.rets.list.n, n);
	for (i = 0; i < n; i++) {
		if (x.rets.list.at[i] != CODE_VADDR + want[i])
			fail_msg("%s: a ret at +0x%lx", hex, (unsigned long)(x.rets.list.at[i] - CODE_VADDR));
	}
	exits__free(&x);
}

#define ASSERT_RETS(hex, w, ...)                                                                                       \
	assert_rets(hex, w, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void assert_refused(const char *hex, struct elsewhere *w, const char *why)
{
	struct code code = code_of(hex);
	struct elsewhere nothing = {};
	struct exits x;
	struct err e;

	if (find_in(&x, &code, w ? w : &nothing, &e) != -ENOTSUP || !strstr(e.text, why))
		fail_msg("%s: %s", hex, e.text);
	exits__free(&x);
}

static void rets(void **state)
{
	(void)state;
	ASSERT_RETS("c3", NULL, 0);
	ASSERT_RETS("55 5d c3", NULL, 2);
	ASSERT_RETS("f3 c3", NULL, 0);
	ASSERT_RETS("c2 08 00", NULL, 0);
	ASSERT_RETS("74 01 c3 c3", NULL, 2, 3);
	/* Each once, however many ways lead there; back, too. */
	ASSERT_RETS("74 04 75 02 eb 00 c3", NULL, 6);
	ASSERT_RETS("eb 02 c3 90 74 fc c3", NULL, 6, 2);
	ASSERT_RETS("55 74 fd 5d c3", NULL, 4);
	/* What nothing leads to is none: padding, and what is behind it. */
	ASSERT_RETS("c3 66 90 c3", NULL, 0);
	ASSERT_RETS("c3 06 06", NULL, 0);
	/* Into the middle of another instruction: mov $0xc3, %al. */
	ASSERT_RETS("74 01 b0 c3 c3", NULL, 4, 3);
	/* Calls return. */
	ASSERT_RETS("e8 00 10 00 00 ff d0 ff 15 00 10 00 00 c3", NULL, 13);
}

static void jumps_to_functions(void **state)
{
	struct elsewhere w = {.probed = {CODE_VADDR + 0x1005}};
	struct code code = code_of("e9 00 10 00 00");
	struct exits x;
	struct err e;

	(void)state;
	assert_int_equal(find_in(&x, &code, &w, &e), 0);
	assert_int_equal(x.rets.list.n, 0);
	assert_int_equal(x.jumps.list.n, 1);
	assert_int_equal(x.jumps.list.at[0], CODE_VADDR + 0x1005);
	exits__free(&x);
	/* On a condition, and twice. */
	w.probed[0] = CODE_VADDR + 0x1006;
	code = code_of("0f 84 00 10 00 00 0f 85 fa 0f 00 00 c3");
	assert_int_equal(find_in(&x, &code, &w, &e), 0);
	assert_int_equal(x.rets.list.n, 1);
	assert_int_equal(x.jumps.list.n, 1);
	exits__free(&x);
	assert_int_equal(w.asked, 0);
	assert_refused("e9 01 10 00 00", NULL, "jump to other code, at 0x402006");
	assert_refused("0f 84 00 20 00 00 c3", &w, "jump to other code");
	/* To itself: a call once more. */
	ASSERT_RETS("74 fe c3", NULL, 2);
}

static void jumps_by_pointers(void **state)
{
	(void)state;
	assert_refused("ff 25 00 10 00 00", NULL, "jump by a pointer, at 0x401000");
	assert_refused("55 ff e0", NULL, "jump by a pointer, at 0x401001");
	assert_refused("74 01 c3 ff 60 18", NULL, "jump by a pointer");
	assert_refused("ff 24 c5 00 20 40 00", NULL, "jump by a pointer");
	/* Nothing leads there. */
	ASSERT_RETS("c3 ff e0", NULL, 0);
}

/* What is never taken is put elsewhere, and jumps back. */
static void parts_elsewhere(void **state)
{
	struct elsewhere w = {.parts = {part_at(0x1000, "90 90 31 c0 75 02 5b c3 e9 f3 ef ff ff")}};

	(void)state;
	/* 0: push %rbx; 1: je +0x1002; 7: pop %rbx; 8: ret. */
	ASSERT_RETS("53 0f 84 fb 0f 00 00 5b c3", &w, 8, 0x1007);
	/* And one part leads to another one, back into the middle of the first. */
	w.parts[0] = part_at(0x1000, "0f 84 fa 0f 00 00 90 c3");
	w.parts[1] = part_at(0x2000, "74 05 e9 ff ef ff ff c3");
	ASSERT_RETS("0f 84 fa 0f 00 00 c3", &w, 6, 0x1007, 0x2007);
	/* It runs off its end, and what it leads to is no part. */
	w.parts[1] = part_at(0x2000, "90 90");
	assert_refused("0f 84 fa 0f 00 00 c3", &w, "runs on behind its end");
	w.parts[1] = (struct code){};
	assert_refused("0f 84 fa 0f 00 00 c3", &w, "jump to other code, at 0x403000");
	/* A part that cannot be read. */
	w.parts[0] = part_at(0x1000, "06");
	assert_refused("0f 84 fa 0f 00 00 c3", &w, "cannot be decoded");
}

static void many_parts(void **state)
{
	static unsigned char large[(256u << 10) + 1];
	struct elsewhere w = {};
	uint64_t i;

	(void)state;
	/* Each jumps to the next, 16 bytes on; the last one returns. The function itself is one of eight. */
	for (i = 0; i < 7; i++)
		w.parts[i] = part_at(16 * (i + 1), i < 6 ? "eb 0e" : "c3");
	ASSERT_RETS("eb 0e", &w, 0x70);
	w.parts[6] = part_at(0x70, "eb 0e");
	w.parts[7] = part_at(0x80, "c3");
	assert_refused("eb 0e", &w, "too many or too large pieces");
	memset(large, 0xc3, sizeof(large));
	w.parts[0] = (struct code){.bytes = large, .n = sizeof(large), .vaddr = CODE_VADDR + 0x10};
	assert_refused("eb 0e", &w, "too many or too large pieces");
	w.parts[0].n--;
	ASSERT_RETS("eb 0e", &w, 0x10);
	assert_refused("", NULL, "no known end");
}

static void ends(void **state)
{
	(void)state;
	/* Behind the call of a function that does not return there is nothing, or padding. */
	ASSERT_RETS("74 01 c3 e8 00 10 00 00", NULL, 2);
	ASSERT_RETS("74 01 c3 e8 00 10 00 00 66 90 90", NULL, 2);
	ASSERT_RETS("74 01 c3 ff 15 00 10 00 00 0f 1f 00", NULL, 2);
	ASSERT_RETS("74 01 c3 0f 0b", NULL, 2);
	ASSERT_RETS("74 01 c3 f4", NULL, 2);
	assert_refused("74 01 c3 90", NULL, "runs on behind its end");
	assert_refused("74 01 c3 e8 00 10 00 00 55", NULL, "runs on behind its end");
	assert_refused("55", NULL, "runs on behind its end");
	assert_refused("74 00", NULL, "jump to other code");
	assert_refused("74 01 c3 e8 00", NULL, "cannot be decoded");
	assert_refused("06", NULL, "its code at 0x401000 cannot be decoded");
	/* There is no way out. */
	assert_rets("eb fe", NULL, NULL, 0);
	assert_rets("55 90 eb fc", NULL, NULL, 0);
	assert_rets("e8 00 10 00 00", NULL, NULL, 0);
	assert_rets("0f 0b", NULL, NULL, 0);
}

/* je over a ret, so many times. */
static int find_many(struct exits *x, unsigned int n, struct err *e)
{
	static unsigned char bytes[3 * (EXITS_MAX + 1) + 1];
	struct code code = {.bytes = bytes, .vaddr = CODE_VADDR};
	struct elsewhere w = {};
	unsigned int i;

	for (i = 0; i + 1 < n; i++)
		memcpy(bytes + 3 * i, "\x74\x01\xc3", 3);
	bytes[3 * i] = 0xc3;
	code.n = 3 * i + 1;
	return find_in(x, &code, &w, e);
}

static void many_rets(void **state)
{
	struct exits x;
	struct err e;

	(void)state;
	assert_int_equal(find_many(&x, EXITS_MAX, &e), 0);
	assert_int_equal(x.rets.list.n, EXITS_MAX);
	exits__free(&x);
	assert_int_equal(find_many(&x, EXITS_MAX + 1, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "more than 64 ways out"));
	exits__free(&x);
	/* Freed once more, it is still empty. */
	exits__free(&x);
	assert_int_equal(x.rets.list.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rets),
		cmocka_unit_test(jumps_to_functions),
		cmocka_unit_test(jumps_by_pointers),
		cmocka_unit_test(parts_elsewhere),
		cmocka_unit_test(many_parts),
		cmocka_unit_test(ends),
		cmocka_unit_test(many_rets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
