/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table: the unwind rows of one file, from its .eh_frame.
 *
 * Frames above the innermost are met at return addresses only, so a row is kept only where its bytes may hold the end
 * of a call instruction (or where it marks the outermost frame or a signal frame); what is left out is swallowed by the
 * row before it, which is marked LT_RULE_INEXACT if a rule was lost so. That leaves 1-16 % of the rows.
 *
 * Code without unwind information is LT_RULE_GUESS, but for holes of up to 15 bytes between functions, which are
 * padding, and for the instructions by which a signal handler returns, which are known by their bytes. Where code ends
 * there is a row of LT_RULE_NONE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "unwind_abi.h"

struct module;

struct unwind_table {
	uint64_t base; /* address, as the file numbers them, of pc 0 of the rows */
	VEC(struct lt_row) rows;
	uint32_t unsupported;  /* of these, rows that are LT_RULE_NONE because their rule does not fit */
	uint32_t bad;	       /* entries of .eh_frame that make no sense and were left out */
	uint32_t without_rows; /* 1: the file has no unwind information at all */
};

struct unwind_table_options {
	bool every_row; /* keep those that no return address can hit, too */
};

/*
 * Build the table of a module. The file is hostile input: every length and offset is checked, time and memory are
 * bounded. 0 also when there is no unwind information (without_rows); -ENOEXEC: no ELF file of this machine; -EFBIG:
 * more rows or code than any real file has; -ENOMEM; the module's open_error. Free with unwind_table__free() in every
 * case.
 */
int unwind_table__build(struct unwind_table *t, const struct module *m, const struct unwind_table_options *o);
void unwind_table__free(struct unwind_table *t);

/* The row that holds at pc (an address of the file), or NULL. */
const struct lt_row *unwind_table__find(const struct unwind_table *t, uint64_t pc);
