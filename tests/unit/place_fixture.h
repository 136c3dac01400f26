/* SPDX-License-Identifier: GPL-2.0-only */
/* place_fixture: what functions need of their place, and a place__choose() that is checked. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "code_bytes.h"
#include "place_rules.h"

#define CALLEE_SAVED (1u << GPR_RBX | 1u << GPR_RBP | 0xfu << 12)

/* free(p); malloc(n) with a return probe, and without one. */
static const struct place_needs frees = {.arguments = 1u << GPR_RDI, .unless_zero = GPR_RDI};
static const struct place_needs allocates = {
	.arguments = 1u << GPR_RDI, .registers = CALLEE_SAVED, .at_entry_sp = true, .unless_zero = INSN_NO_REG};
static const struct place_needs allocates_by_rets = {
	.arguments = 1u << GPR_RDI, .registers = CALLEE_SAVED, .unless_zero = INSN_NO_REG};

/* push %rbp. ENDBR: a first instruction that is not emulated, and no way to change anything. */
#define ENDBR "f3 0f 1e fa "
#define PUSH  "55 "
#define RET   "c3 "

static inline struct place choose_in(const struct code *code, const struct place_needs *needs)
{
	const char *wrong;
	struct place p;

	memset(&p, 0xaa, sizeof(p));
	place__choose(&p, code, needs);
	wrong = place_violation(&p, code, needs);
	if (wrong)
		fail_msg("%s", wrong);
	assert_true(strlen(place__reason(p.why)) > 10);
	return p;
}

static inline struct place choose(const char *hex, const struct place_needs *needs)
{
	struct code code = code_of(hex);

	return choose_in(&code, needs);
}

struct expected {
	const char *hex;
	uint32_t offset;
	enum place_why why;
	uint32_t sp_offset;
};

static inline void assert_chosen(const struct expected *want, size_t n, const struct place_needs *needs)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct place p = choose(want[i].hex, needs);

		if (p.offset != want[i].offset || p.why != want[i].why || p.sp_offset != want[i].sp_offset)
			fail_msg("%s: +0x%x, %s, %u bytes of stack", want[i].hex, p.offset, place__reason(p.why),
				 p.sp_offset);
	}
}

#define ASSERT_CHOSEN(want, needs) assert_chosen(want, sizeof(want) / sizeof((want)[0]), needs)
