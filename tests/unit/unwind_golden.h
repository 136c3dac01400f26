/* SPDX-License-Identifier: GPL-2.0-only */
/* unwind_golden: what libdw says about a pc, as a packed rule; and the files that tables are compared on. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>
#include <elfutils/libdw.h>

#include "unwind/table.h"

struct golden {
	int fd;
	Elf *elf;
	Dwarf *dwarf; /* NULL: .eh_frame */
	Dwarf_CFI *cfi;
};

/* False when libdw finds no unwind information in the file. .debug_frame is looked at if it is asked for. */
bool golden__open(struct golden *g, const char *path, bool debug_frame);
void golden__close(struct golden *g);

/*
 * No rule of libdw's: it takes no DW_CFA_def_cfa_register after DW_CFA_def_cfa_expression, which libgcc and gdb do;
 * some assembly code in libgcrypt has that.
 */
#define GOLDEN_UNKNOWN 0xffffffff

/* The rule at an address of the file, and how far it holds, which is beyond pc. False: it has no unwind information. */
bool golden__rule(struct golden *g, uint64_t pc, uint32_t *rule, uint64_t *end);

/* The table of a file; fails the test if there is none. */
void build_table(struct unwind_table *t, const char *path, bool every_row);

/* Call fn for each file of UNWIND_FILES (one path a line), or for some that every system has. Returns their number. */
int each_file(void (*fn)(const char *path));
