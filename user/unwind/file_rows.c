/* SPDX-License-Identifier: GPL-2.0-only */
#include "unwind_abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/clock.h"
#include "base/log.h"
#include "select/module.h"
#include "unwind/extents.h"
#include "unwind/file_rows.h"
#include "unwind/shared_array.h"

/* At least; 2 MiB, twice what a compiler (one of the largest processes by code) needs. */
#define MIN_ROWS (256u << 10)

/* By which of its names the kernel side finds a file. */
struct named_file {
	const struct module *module;
	struct file_table *file;
};

struct file_rows {
	struct shared_array rows;
	struct extents extents;
	VEC(struct named_file) named;
	int files_fd;
	bool said_full;
};

uint64_t file_rows__wanted(const struct tables *t)
{
	uint64_t twice = 2 * tables__rows(t);

	return twice > MIN_ROWS ? twice : MIN_ROWS;
}

struct file_rows *file_rows__new(const struct bpf_map *rows, const struct bpf_map *files)
{
	struct file_rows *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->files_fd = bpf_map__fd(files);
	if (!shared_array__map(&r->rows, rows, sizeof(struct lt_row)) &&
	    !extents__init(&r->extents, bpf_map__max_entries(rows)))
		return r;
	file_rows__free(r);
	return NULL;
}

void file_rows__free(struct file_rows *r)
{
	if (!r)
		return;
	shared_array__unmap(&r->rows);
	vec__free(&r->named);
	extents__free(&r->extents);
	free(r);
}

void file_rows__use(struct file_table *f)
{
	f->users++;
}

static struct lt_file_key key_of(const struct module *m)
{
	/* include/linux/kdev_t.h */
	return (struct lt_file_key){
		.inode = m->map_ino,
		.device = (uint64_t)major(m->map_dev) << 20 | minor(m->map_dev),
	};
}

/* Without all of its segments a file cannot be told from its offset alone: it is left to its mappings then. */
static bool describe_file(const struct file_table *f, struct lt_file *out)
{
	const struct segment *seg;

	memset(out, 0, sizeof(*out));
	out->file = f->number;
	if (f->err == -ENOSPC)
		return false;
	if (f->err || !f->table.rows.n)
		return true;
	if (f->first < 0 || f->segments.list.n > LT_FILE_SEGMENTS)
		return false;
	out->first = (uint32_t)f->first;
	out->n = (uint32_t)f->table.rows.n;
	vec__each (&f->segments.list, seg) {
		struct lt_segment *to = &out->segments[out->n_segments++];

		to->offset = segment__start(seg);
		to->size = seg->size + (seg->offset - to->offset);
		to->bias = seg->offset - seg->vaddr + f->table.base;
	}
	return true;
}

void file_rows__name(struct file_rows *r, const struct module *m, struct file_table *f)
{
	struct lt_file_key key = key_of(m);
	struct named_file *named;
	struct lt_file file;

	vec__each (&r->named, named) {
		if (named->module == m)
			return;
	}
	if (m->vdso || !describe_file(f, &file))
		return;
	named = vec__add(&r->named);
	if (!named)
		return;
	named->module = m;
	named->file = f;
	/* When there is no room for more, its mappings still name it. */
	bpf_map_update_elem(r->files_fd, &key, &file, BPF_ANY);
}

static void forget_names(struct file_rows *r, const struct file_table *f)
{
	size_t i = 0;

	while (i < r->named.n) {
		struct lt_file_key key = key_of(r->named.at[i].module);

		if (r->named.at[i].file != f) {
			i++;
			continue;
		}
		bpf_map_delete_elem(r->files_fd, &key);
		r->named.at[i] = r->named.at[--r->named.n];
	}
}

void file_rows__leave(struct file_rows *r, struct file_table *f)
{
	if (--f->users)
		return;
	forget_names(r, f);
	if (f->first >= 0)
		extents__give(&r->extents, (uint32_t)f->first, (uint32_t)f->table.rows.n,
			      clock__mono_ns() + LT_REST_NS);
	f->first = -1;
}

int file_rows__load(struct file_rows *r, struct file_table *f)
{
	struct lt_row *all = r->rows.at;
	uint32_t n = (uint32_t)f->table.rows.n;

	if (!n || f->first >= 0)
		return 0;
	f->first = extents__take(&r->extents, n, clock__mono_ns());
	if (f->first >= 0) {
		memcpy(all + f->first, f->table.rows.at, n * sizeof(*all));
		return 0;
	}
	if (!r->said_full)
		log__warn("the unwind tables are full: stacks through the libraries that came last are walked in user "
			  "space, which costs much more");
	r->said_full = true;
	return -ENOSPC;
}
