/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "unwind/arch.h"
#include "unwind/row_sink.h"

#define MAX_ROWS (4u << 20) /* 32 MiB */

/* A stretch longer than the window is looked at in pieces, each of which begins with the end of the one before. */
static bool may_hold_call(struct row_sink *s, uint64_t start, uint64_t end)
{
	uint64_t at = start;

	for (;;) {
		size_t n = end - at < CODE_WINDOW ? (size_t)(end - at) : CODE_WINDOW;
		const uint8_t *bytes = code_window__at(s->code, at, n);

		/* What cannot be read may hold anything. */
		if (!bytes || unwind_arch__may_hold_call(bytes, n))
			return true;
		if (n == end - at)
			return false;
		at += CODE_WINDOW - UNWIND_CALL_MAX;
	}
}

static bool is_kept(struct row_sink *s)
{
	enum lt_rule_type type = lt_rule_type(s->rule);

	return s->every_row || type == LT_RULE_END || type == LT_RULE_SIGNAL || may_hold_call(s, s->start, s->end);
}

static int add_row(struct unwind_table *t, uint64_t start, uint32_t rule)
{
	struct lt_row *row;

	if (t->rows.n == MAX_ROWS || start - t->base > UINT32_MAX)
		return -EFBIG;
	row = vec__add(&t->rows);
	if (!row)
		return -ENOMEM;
	*row = (struct lt_row){.pc = (uint32_t)(start - t->base), .rule = rule};
	return 0;
}

static int close_stretch(struct row_sink *s, uint64_t end)
{
	struct unwind_table *t = s->table;
	struct lt_row *last = t->rows.n ? &t->rows.at[t->rows.n - 1] : NULL;

	s->end = end;
	s->open = false;
	if (last && (last->rule & ~LT_RULE_INEXACT) == s->rule)
		return 0;
	if (last && !is_kept(s)) {
		last->rule |= LT_RULE_INEXACT;
		return 0;
	}
	t->unsupported += lt_rule_type(s->rule) == LT_RULE_NONE;
	return add_row(t, s->start, s->rule);
}

int row_sink__add(struct row_sink *s, uint64_t start, uint64_t end, uint32_t rule)
{
	int err = 0;

	if (s->open && rule == s->rule) {
		s->end = end;
		return 0;
	}
	if (s->open)
		err = close_stretch(s, start);
	s->open = true;
	s->start = start;
	s->end = end;
	s->rule = rule;
	return err;
}

int row_sink__end_of_code(struct row_sink *s, uint64_t address)
{
	int err = s->open ? close_stretch(s, s->end) : 0;

	return err ? err : add_row(s->table, address, LT_RULE_NONE);
}
