/* SPDX-License-Identifier: GPL-2.0-only */
/* arch: all that this stage needs to know of the processor; a pair of files arch_*.[ch] for each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include "unwind/arch_x86_64.h"
#else
#error "there is no user/unwind/arch_*.[ch] for this processor"
#endif

struct cfi_state;

/* The packed rule (bpf/unwind_abi.h) that says the same as a state; LT_RULE_NONE when there is none. */
uint32_t unwind_arch__rule(const struct cfi_state *state, bool signal_frame);

/* No instruction that leaves a return address behind it is longer. */
#define UNWIND_CALL_MAX 8

/*
 * May a call instruction lie in these bytes as a whole? They begin at the start of an instruction, but what is one is
 * not known after that, so more may look like a call than is one; none is missed.
 */
bool unwind_arch__may_hold_call(const uint8_t *bytes, size_t n);

/* Where in these bytes the code of arch_sigreturn starts; n when it is not there. */
size_t unwind_arch__find_restorer(const uint8_t *bytes, size_t n);
