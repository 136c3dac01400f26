/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "unwind/arch.h"
#include "unwind/cfa_machine.h"
#include "unwind/row_sink.h"
#include "unwind/table.h"
#include "unwind/unwind_file.h"
#include "unwind/unwind_info.h"

#define PADDING	   15  /* bytes between two functions that are no code of their own */
#define START_CODE 256 /* bytes from the entry of a file on that have no caller, if they have no unwind information */
#define MAX_CODE   (2ull << 30) /* bytes */
#define MAX_STATES (16u << 20)	/* of all FDEs */

struct builder {
	struct unwind_file file;
	struct unwind_info info;
	struct cfa_machine machine;
	struct code_window code;
	struct row_sink sink;
	struct unwind_table *table;
	size_t states;
};

/* The address of the next restorer in [start, end); `end` when there is none. */
static uint64_t find_restorer(struct builder *b, uint64_t start, uint64_t end)
{
	while (end - start >= sizeof(arch_sigreturn)) {
		size_t n = end - start < CODE_WINDOW ? (size_t)(end - start) : CODE_WINDOW, found;
		const uint8_t *bytes = code_window__at(&b->code, start, n);

		if (!bytes)
			break;
		found = unwind_arch__find_restorer(bytes, n);
		if (found < n)
			return start + found;
		start += n - (sizeof(arch_sigreturn) - 1);
	}
	return end;
}

/*
 * What calls the first function of a process, as _dl_start_user of glibc's loader does, is the end of its stack. Known
 * where it is all that is left of the gap: no row may begin in the middle of an instruction.
 */
static int add_unknown(struct builder *b, uint64_t start, uint64_t end)
{
	uint64_t entry = b->file.entry;
	int err = 0;

	if (entry < start || entry >= end || end - entry > START_CODE)
		return row_sink__add(&b->sink, start, end, LT_RULE_GUESS);
	if (entry > start)
		err = row_sink__add(&b->sink, start, entry, LT_RULE_GUESS);
	return err ? err : row_sink__add(&b->sink, entry, end, LT_RULE_END);
}

/* Code that has no unwind information. In it may be the C library's way back from a signal handler. */
static int add_gap(struct builder *b, uint64_t start, uint64_t end)
{
	int err = 0;

	if (end <= start || end - start <= PADDING)
		return 0;
	while (!err && start < end) {
		uint64_t restorer = find_restorer(b, start, end);
		/* From the byte before on: return addresses are looked up there. */
		uint64_t from = restorer < end && restorer > b->table->base ? restorer - 1 : restorer;

		if (from > start)
			err = add_unknown(b, start, from);
		start = restorer;
		if (!err && restorer < end) {
			start += sizeof(arch_sigreturn);
			err = row_sink__add(&b->sink, from, start, LT_RULE_SIGNAL);
		}
	}
	return err;
}

/*
 * Where a rule begins to hold. A function that nothing calls, the end of every stack, may be entered by a return to its
 * first byte, as __start_context of glibc is from a makecontext() stack: it is looked up at the byte before, where
 * there is nothing but padding.
 */
static uint64_t start_of(const struct cfa_machine *m, uint32_t rule, uint64_t function, uint64_t done)
{
	return m->from == function && function > done && lt_rule_type(rule) == LT_RULE_END ? m->from - 1 : m->from;
}

/* done: what lies below belongs to others. */
static int add_function(struct builder *b, const struct unwind_function *function, uint64_t end, uint64_t done)
{
	struct cfa_machine *m = &b->machine;
	struct cfi_fde fde;
	size_t next;
	int err = 0;

	if (cfi_section__entry(&b->info.section, function->at, &fde, &next) != CFI_FDE)
		return 0;
	cfa_machine__start(m, &b->info.section, &fde);
	if (!unwind_info__within_limits(&b->info))
		return -EFBIG;
	while (!err && cfa_machine__next(m) && m->from < end) {
		uint32_t rule = unwind_arch__rule(&m->state, fde.cie->signal);

		if (++b->states > MAX_STATES)
			return -EFBIG;
		err = row_sink__add(&b->sink, start_of(m, rule, function->start, done), m->to < end ? m->to : end,
				    rule);
	}
	b->table->bad += m->failed;
	return err;
}

/*
 * The functions of one segment, *at being the first that was not looked at yet. Each holds up to its end or the start
 * of the next, as for the loader, which looks for the last start that is not above a pc.
 */
static int add_segment(struct builder *b, const struct unwind_segment *s, size_t *at)
{
	const struct unwind_function *functions = b->info.functions.at;
	size_t n = b->info.functions.n;
	uint64_t done = s->start;
	int err = 0;

	for (; *at < n && functions[*at].start < s->start; ++*at)
		b->table->bad++;
	for (; !err && *at < n && functions[*at].start < s->end; ++*at) {
		const struct unwind_function *function = &functions[*at];
		uint64_t end = function->end < s->end ? function->end : s->end;

		if (*at + 1 < n && functions[*at + 1].start < end)
			end = functions[*at + 1].start;
		err = add_gap(b, done, function->start);
		if (!err)
			err = add_function(b, function, end, done);
		done = end;
	}
	return err ? err : add_gap(b, done, s->end);
}

static const struct unwind_segment *next_executable(const struct unwind_file *f, const struct unwind_segment *s)
{
	for (s = s ? s + 1 : f->segments; s < f->segments + f->n; s++) {
		if (s->executable)
			return s;
	}
	return NULL;
}

static int add_segments(struct builder *b)
{
	const struct unwind_segment *s = next_executable(&b->file, NULL), *next;
	uint64_t code = 0;
	size_t at = 0;
	int err = 0;

	b->table->base = s->start & ~(uint64_t)(ARCH_PAGE - 1);
	for (; !err && s; s = next) {
		code += s->end - s->start;
		if (code > MAX_CODE || s->end - b->table->base > UINT32_MAX)
			return -EFBIG;
		err = add_segment(b, s, &at);
		next = next_executable(&b->file, s);
		if (!err && (!next || next->start > s->end))
			err = row_sink__end_of_code(&b->sink, s->end);
	}
	b->table->bad += (uint32_t)(b->info.functions.n - at);
	return err;
}

static int build(struct builder *b, const struct module *m)
{
	int err = unwind_file__open(&b->file, m);

	if (err)
		return err;
	err = unwind_info__read(&b->info, &b->file);
	b->table->bad = b->info.bad;
	if (err)
		return err;
	if (!b->info.functions.n || !next_executable(&b->file, NULL)) {
		b->table->without_rows = 1;
		return 0;
	}
	return add_segments(b);
}

int unwind_table__build(struct unwind_table *t, const struct module *m, const struct unwind_table_options *o)
{
	__cleanup_free struct builder *b = malloc(sizeof(*b));
	int err;

	memset(t, 0, sizeof(*t));
	if (!b)
		return -ENOMEM;
	/* Not all of it: its buffers are large. */
	memset(&b->info, 0, sizeof(b->info));
	b->code.file = &b->file;
	b->code.start = b->code.n = 0;
	b->sink = (struct row_sink){.table = t, .code = &b->code, .every_row = o->every_row};
	b->table = t;
	b->states = 0;
	err = build(b, m);
	unwind_info__free(&b->info);
	return err;
}

void unwind_table__free(struct unwind_table *t)
{
	vec__free(&t->rows);
}

const struct lt_row *unwind_table__find(const struct unwind_table *t, uint64_t pc)
{
	size_t low = 0, high = t->rows.n;

	if (pc < t->base)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->rows.at[middle].pc <= pc - t->base)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &t->rows.at[low - 1] : NULL;
}
