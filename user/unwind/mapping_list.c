/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "unwind/mapping_list.h"

static void describe(struct tables *tables, const struct mapping *at, struct lt_mapping *out)
{
	const struct file_table *f = at->module ? tables__get(tables, at->module) : NULL;
	uint64_t vaddr;

	out->start = at->start;
	out->kind = LT_MAPPING_PLAIN;
	if (!f)
		return;
	if (f->err || !f->table.rows.n) {
		out->file = f->number;
		out->bias = at->start - at->offset;
		out->kind = f->err == -ENOSPC ? LT_MAPPING_FULL : LT_MAPPING_PLAIN;
		return;
	}
	/* Data that was made executable is no place of the file: tables__module() could not tell it from code. */
	if (segments__address(&f->segments, at->offset, &vaddr))
		return;
	out->file = f->number;
	out->bias = at->start - vaddr + f->table.base;
	out->kind = f->first < 0 ? LT_MAPPING_FULL : at->module->vdso ? LT_MAPPING_VDSO : LT_MAPPING_TABLE;
	if (f->first < 0)
		return;
	out->first = (uint32_t)f->first;
	out->n = (uint32_t)f->table.rows.n;
}

/* Executable memory without a file next to more of it is one mapping: JIT compilers make thousands. */
static bool continues(const struct lt_mapping *last, const struct lt_mapping *next)
{
	return last->kind == LT_MAPPING_PLAIN && next->kind == LT_MAPPING_PLAIN && !last->file && !next->file;
}

int mapping_list__make(struct mapping_list *out, struct tables *tables, const struct mappings *m)
{
	const struct mapping *at;
	uint64_t end = 0;

	vec__each (&m->list, at) {
		struct lt_mapping next = {}, *slot;

		describe(tables, at, &next);
		if (out->list.n && end == at->start && continues(&out->list.at[out->list.n - 1], &next)) {
			end = at->end;
			continue;
		}
		if (out->list.n && end != at->start) {
			slot = vec__add(&out->list);
			if (!slot)
				return -ENOMEM;
			slot->start = end;
		}
		slot = vec__add(&out->list);
		if (!slot)
			return -ENOMEM;
		*slot = next;
		end = at->end;
	}
	if (!out->list.n || !vec__add(&out->list))
		return -ENOMEM;
	out->list.at[out->list.n - 1].start = end;
	return 0;
}

void mapping_list__free(struct mapping_list *l)
{
	vec__free(&l->list);
}

bool mapping_list__is_same(const struct mapping_list *a, const struct mapping_list *b)
{
	return a->list.n == b->list.n && !memcmp(a->list.at, b->list.at, a->list.n * sizeof(*a->list.at));
}

bool mapping_list__has_plain(const struct mapping_list *l)
{
	const struct lt_mapping *at;

	vec__each (&l->list, at) {
		if (at->kind == LT_MAPPING_PLAIN && !at->file)
			return true;
	}
	return false;
}
