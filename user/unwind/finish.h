/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * finish: walks that the kernel side could not do with its tables, done here from a copy of registers and stack, with
 * libdw's reading of the unwind information and the mappings as they are now.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind_abi.h"

struct mappings;
struct finisher;

/* A part of a stack, from an address up. */
struct stack_part {
	uint64_t at;
	const void *bytes;
	size_t size;
};

/* The state of a thread at the first instruction of a function. */
struct stack_copy {
	const uint64_t *regs; /* by DWARF number; [16] is the pc */
	unsigned int n_regs;
	const struct stack_part *parts; /* the first that holds an address is read */
	unsigned int n_parts;
	const struct lt_replaced *replaced;
	unsigned int n_replaced;
};

/* NULL when out of memory. */
struct finisher *finisher__new(void);
void finisher__free(struct finisher *f);

/*
 * Walk. pcs[0] is the pc itself, then return addresses (after a signal frame the interrupted pc); interrupted[i] is set
 * for those that are not after a call. At most `max`; *n of them. Returns why it ended: LT_END_WHOLE, or what is
 * missing (LT_END_UNREADABLE: the copy is too short; LT_END_NO_RULE: no rules, or none that are safe to use). *flags
 * becomes LT_STACK_GUESSED where a frame was found by a frame pointer assumed in memory without unwind information, as
 * the kernel side does, else 0. A file is read when a walk first meets it (milliseconds), and time for hostile ones is
 * bounded.
 */
enum lt_stack_end finisher__walk(struct finisher *f, const struct mappings *m, const struct stack_copy *copy,
				 uint64_t *pcs, bool *interrupted, unsigned int max, unsigned int *n,
				 unsigned int *flags);
