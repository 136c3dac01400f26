/* SPDX-License-Identifier: GPL-2.0-only */
/* tables: the unwind table of each file, built once for all processes that map it or a copy of it. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "select/segments.h"
#include "unwind/table.h"

struct module;
struct tables;

/* Of all files together; 64 MiB, a hundred times what a large process has. */
#define TABLES_MAX_ROWS (8u << 20)

struct file_table {
	uint32_t number; /* from 1: identifies the file in the hashes of stacks */
	int err;	 /* of building, the table is empty then; -ENOSPC: beyond TABLES_MAX_ROWS */
	struct unwind_table table;
	struct segments segments;
	/* The owner of the rows' copy in the kernel's map (file_rows): */
	int64_t first; /* of the copy; negative: there is none */
	unsigned int users;
};

/* NULL when out of memory. */
struct tables *tables__new(void);
void tables__free(struct tables *t);

/*
 * The table of a module. Files of equal build-id and size share one, as the same library does in many containers. NULL
 * when out of memory. Valid until tables__free().
 */
struct file_table *tables__get(struct tables *t, const struct module *m);

/*
 * A place that a walk has found (struct lt_frame): its module, and the offset in that file. NULL when there is no such
 * file.
 */
const struct module *tables__module(const struct tables *t, uint32_t number, uint32_t pc, uint64_t *offset);

/* Of the modules that share a table, the one that tables__module() returns; a module without a table is its own. */
const struct module *tables__representative(const struct tables *t, const struct module *m);

/* Rows of all tables so far. */
uint64_t tables__rows(const struct tables *t);
