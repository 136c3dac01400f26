/* SPDX-License-Identifier: GPL-2.0-only */
/* arch: all that the unwind tables need to know of the processor; one file arch_*.c for each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfi_state;

/* Numbers of ELF and of DWARF. */
struct unwind_arch {
	uint16_t machine;
	uint64_t fp, sp, return_column;
};

extern const struct unwind_arch unwind_arch;

/* The packed rule (bpf/unwind.h) that says the same as a state; LT_RULE_NONE when there is none. */
uint32_t unwind_arch__rule(const struct cfi_state *state, bool signal_frame);

/* No instruction that leaves a return address behind it is longer. */
#define UNWIND_CALL_MAX 8

/*
 * May a call instruction lie in these bytes as a whole? They begin at the start of an instruction, but what is one is
 * not known after that, so more may look like a call than is one; none is missed.
 */
bool unwind_arch__may_hold_call(const uint8_t *bytes, size_t n);

/* The length of the code by which a signal handler returns, for C libraries that have no unwind information for it. */
extern const size_t unwind_arch__restorer_size;

/* Where it starts in these bytes; n when it is not there. */
size_t unwind_arch__find_restorer(const uint8_t *bytes, size_t n);
