/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * row_sink: makes the rows of a table from the rules of a file's code, given in the order of addresses: equal
 * neighbours become one, and what no return address can hit is left out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "unwind/code_window.h"
#include "unwind/table.h"

struct row_sink {
	struct unwind_table *table;
	struct code_window *code;
	bool every_row;

	/* Its own: the stretch of equal rules that is not finished. */
	bool open;
	uint64_t start, end;
	uint32_t rule;
};

/* The rule holds in [start, end), or up to the start of the next. -ENOMEM, -EFBIG. */
int row_sink__add(struct row_sink *s, uint64_t start, uint64_t end, uint32_t rule);

/* After the last and before anything that is not code: the table gets a row of no rule that is not left out. */
int row_sink__end_of_code(struct row_sink *s, uint64_t address);
