/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "select/module.h"
#include "unwind/tables.h"

/* Which table a module has. */
struct known_module {
	const struct module *module;
	off_t size;
	struct file_table *file;
};

struct tables {
	VEC(struct known_module) modules;
	VEC(struct file_table *) files;
	uint64_t rows;
};

struct tables *tables__new(void)
{
	return calloc(1, sizeof(struct tables));
}

static void file_table__free(struct file_table *f)
{
	unwind_table__free(&f->table);
	segments__free(&f->segments);
	free(f);
}

void tables__free(struct tables *t)
{
	struct file_table **f;

	if (!t)
		return;
	vec__each (&t->files, f)
		file_table__free(*f);
	vec__free(&t->files);
	vec__free(&t->modules);
	free(t);
}

static off_t size_of(const struct module *m)
{
	struct stat st;

	return m->fd >= 0 && !fstat(m->fd, &st) ? st.st_size : -1;
}

static struct file_table *file_like(const struct tables *t, const struct module *m, off_t size)
{
	const struct known_module *known;

	vec__each (&t->modules, known) {
		if (m->build_id_len && size >= 0 && known->size == size &&
		    known->module->build_id_len == m->build_id_len &&
		    !memcmp(known->module->build_id, m->build_id, m->build_id_len))
			return known->file;
	}
	return NULL;
}

static struct file_table *build(struct tables *t, const struct module *m)
{
	static const struct unwind_table_options filtered;
	struct file_table *f = calloc(1, sizeof(*f)), **slot;

	slot = f ? vec__add(&t->files) : NULL;
	if (!slot) {
		free(f);
		return NULL;
	}
	*slot = f;
	f->number = (uint32_t)t->files.n;
	f->first = -1;
	f->err = segments__read(&f->segments, m);
	if (!f->err)
		f->err = unwind_table__build(&f->table, m, &filtered);
	t->rows += f->table.rows.n;
	if (t->rows > TABLES_MAX_ROWS) {
		t->rows -= f->table.rows.n;
		unwind_table__free(&f->table);
		f->err = -ENOSPC;
	}
	if (f->err)
		log__info("%s: no unwind table: %s", m->path, strerror(-f->err));
	else
		log__debug("%s: %zu unwind rows, %u of them unsupported, %u bad entries", m->path, f->table.rows.n,
			   f->table.unsupported, f->table.bad);
	return f;
}

struct file_table *tables__get(struct tables *t, const struct module *m)
{
	struct known_module *known;
	struct file_table *f;
	off_t size;

	vec__each (&t->modules, known) {
		if (known->module == m)
			return known->file;
	}
	size = size_of(m);
	f = file_like(t, m, size);
	if (!f)
		f = build(t, m);
	known = f ? vec__add(&t->modules) : NULL;
	if (!known)
		return NULL;
	known->module = m;
	known->size = size;
	known->file = f;
	return f;
}

static const struct module *first_with(const struct tables *t, const struct file_table *f)
{
	const struct known_module *known;

	vec__each (&t->modules, known) {
		if (known->file == f)
			return known->module;
	}
	return NULL;
}

const struct module *tables__representative(const struct tables *t, const struct module *m)
{
	const struct known_module *known;

	vec__each (&t->modules, known) {
		if (known->module == m)
			return first_with(t, known->file);
	}
	return m;
}

const struct module *tables__module(const struct tables *t, uint32_t number, uint32_t pc, uint64_t *offset)
{
	const struct file_table *f;

	if (!number || number > t->files.n)
		return NULL;
	f = t->files.at[number - 1];
	/* See mapping_list.c: without rows, a pc is an offset. */
	if (f->err || !f->table.rows.n)
		*offset = pc;
	else if (segments__offset(&f->segments, f->table.base + pc, offset))
		return NULL;
	return first_with(t, f);
}

uint64_t tables__rows(const struct tables *t)
{
	return t->rows;
}
