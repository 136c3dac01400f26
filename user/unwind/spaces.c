/* SPDX-License-Identifier: GPL-2.0-only */
#include "unwind_abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "leaktrace.skel.h"
#include "unwind/extents.h"
#include "unwind/spaces.h"

/* At least; 2 MiB, twice what a compiler (one of the largest processes by code) needs. */
#define MIN_ROWS (256u << 10)
#define REST_NS	 NSEC_PER_SEC

/* A file that an address space has mapped, or had: what was unloaded is often loaded again. */
struct used_file {
	struct file_table *file;
	bool mapped;
};

struct space {
	bool used;
	uint32_t first;		     /* of its mappings in the kernel's map */
	VEC(struct lt_mapping) list; /* as published */
	VEC(struct used_file) files; /* each once */
};

/* By which of its names the kernel side finds a file. */
struct named_file {
	const struct module *module;
	struct file_table *file;
};

struct spaces {
	struct tables *tables;
	struct lt_row *rows;
	struct lt_mapping *mappings;
	struct lt_space *spaces;
	uint32_t n_rows;
	size_t rows_size, mappings_size, spaces_size;
	struct extents row_extents, mapping_extents;
	struct space own[LT_MAX_SPACES];
	VEC(struct named_file) named;
	int files_fd;
	uint32_t generation; /* the last one given to any space */
	unsigned int no_room;
};

uint64_t spaces__rows_wanted(const struct tables *t)
{
	uint64_t twice = 2 * tables__rows(t);

	return twice > MIN_ROWS ? twice : MIN_ROWS;
}

static void *map_array(struct bpf_map *map, size_t elem, size_t *size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	*size = (elem * bpf_map__max_entries(map) + page - 1) / page * page;
	at = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return at == MAP_FAILED ? NULL : at;
}

struct spaces *spaces__new(struct leaktrace_bpf *bpf, struct tables *tables, struct err *e)
{
	struct spaces *s = calloc(1, sizeof(*s));

	if (!s) {
		err__set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	s->tables = tables;
	s->files_fd = bpf_map__fd(bpf->maps.files);
	s->n_rows = bpf_map__max_entries(bpf->maps.rows);
	s->rows = map_array(bpf->maps.rows, sizeof(*s->rows), &s->rows_size);
	s->mappings = map_array(bpf->maps.mappings, sizeof(*s->mappings), &s->mappings_size);
	s->spaces = map_array(bpf->maps.spaces, sizeof(*s->spaces), &s->spaces_size);
	if (s->rows && s->mappings && s->spaces && !extents__init(&s->row_extents, s->n_rows) &&
	    !extents__init(&s->mapping_extents, LT_MAX_MAPPINGS))
		return s;
	err__set(e, -ENOMEM, "no memory for the unwind tables");
	spaces__free(s);
	return NULL;
}

void spaces__free(struct spaces *s)
{
	unsigned int i;

	if (!s)
		return;
	for (i = 0; i < LT_MAX_SPACES; i++) {
		vec__free(&s->own[i].list);
		vec__free(&s->own[i].files);
	}
	if (s->rows)
		munmap(s->rows, s->rows_size);
	if (s->mappings)
		munmap(s->mappings, s->mappings_size);
	if (s->spaces)
		munmap(s->spaces, s->spaces_size);
	vec__free(&s->named);
	extents__free(&s->row_extents);
	extents__free(&s->mapping_extents);
	free(s);
}

uint32_t spaces__add(struct spaces *s)
{
	uint32_t i;

	for (i = 0; i < LT_MAX_SPACES; i++) {
		struct lt_space *space = &s->spaces[i];

		if (s->own[i].used)
			continue;
		s->own[i].used = true;
		space->link_state = LT_LINK_UNKNOWN;
		/* Doubtful until something is published. */
		space->fresh = space->stale - 1;
		return i;
	}
	return LT_NO_SPACE;
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

/* Tell the kernel side by which inode it meets a file, once for each of its copies. */
static void name_file(struct spaces *s, const struct module *m, struct file_table *f)
{
	struct lt_file_key key = key_of(m);
	struct named_file *named;
	struct lt_file file;

	vec__each (&s->named, named) {
		if (named->module == m)
			return;
	}
	if (m->vdso || !describe_file(f, &file))
		return;
	named = vec__add(&s->named);
	if (!named)
		return;
	named->module = m;
	named->file = f;
	/* When there is no room for more, its mappings still name it. */
	bpf_map_update_elem(s->files_fd, &key, &file, BPF_ANY);
}

static void forget_names(struct spaces *s, const struct file_table *f)
{
	size_t i = 0;

	while (i < s->named.n) {
		struct lt_file_key key = key_of(s->named.at[i].module);

		if (s->named.at[i].file != f) {
			i++;
			continue;
		}
		bpf_map_delete_elem(s->files_fd, &key);
		s->named.at[i] = s->named.at[--s->named.n];
	}
}

static void leave_file(struct spaces *s, struct file_table *f)
{
	if (--f->users)
		return;
	forget_names(s, f);
	if (f->first >= 0)
		extents__give(&s->row_extents, (uint32_t)f->first, (uint32_t)f->table.rows.n,
			      clock__mono_ns() + REST_NS);
	f->first = -1;
}

/* Give back what is used by no mapping now. It may be taken when it has rested. */
static void leave_unmapped(struct spaces *s)
{
	unsigned int i;
	size_t j;

	for (i = 0; i < LT_MAX_SPACES; i++) {
		for (j = 0; j < s->own[i].files.n;) {
			struct used_file *used = &s->own[i].files.at[j];

			if (used->mapped) {
				j++;
				continue;
			}
			leave_file(s, used->file);
			*used = s->own[i].files.at[--s->own[i].files.n];
		}
	}
}

/* The rows of a file are in the map while somebody uses them. */
static void load_rows(struct spaces *s, struct file_table *f)
{
	uint32_t n = (uint32_t)f->table.rows.n;

	if (!n || f->first >= 0)
		return;
	f->first = extents__take(&s->row_extents, n, clock__mono_ns());
	if (f->first >= 0) {
		memcpy(s->rows + f->first, f->table.rows.at, n * sizeof(*s->rows));
		return;
	}
	leave_unmapped(s);
	if (!s->no_room++)
		log__warn("the unwind tables are full: stacks through the libraries that came last are walked in user "
			  "space, which costs much more");
}

static int use_file(struct spaces *s, struct space *own, struct file_table *f)
{
	struct used_file *used;

	vec__each (&own->files, used) {
		if (used->file != f)
			continue;
		used->mapped = true;
		load_rows(s, f);
		return 0;
	}
	used = vec__add(&own->files);
	if (!used)
		return -ENOMEM;
	used->file = f;
	used->mapped = true;
	f->users++;
	load_rows(s, f);
	return 0;
}

static int use_files(struct spaces *s, struct space *own, const struct mappings *m)
{
	struct used_file *used;
	const struct mapping *at;
	int err = 0;

	vec__each (&own->files, used)
		used->mapped = false;
	vec__each (&m->list, at) {
		struct file_table *f = at->module ? tables__get(s->tables, at->module) : NULL;

		if (!f)
			continue;
		err = use_file(s, own, f);
		if (err)
			break;
		name_file(s, at->module, f);
	}
	return err;
}

static void describe(const struct spaces *s, const struct mapping *at, struct lt_mapping *out)
{
	const struct file_table *f = at->module ? tables__get(s->tables, at->module) : NULL;
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

typedef VEC(struct lt_mapping) lt_mapping_list;

static int list_mappings(const struct spaces *s, const struct mappings *m, lt_mapping_list *out)
{
	const struct mapping *at;
	uint64_t end = 0;

	vec__each (&m->list, at) {
		struct lt_mapping next = {}, *slot;

		describe(s, at, &next);
		if (out->n && end == at->start && continues(&out->at[out->n - 1], &next)) {
			end = at->end;
			continue;
		}
		if (out->n && end != at->start) {
			slot = vec__add(out);
			if (!slot)
				return -ENOMEM;
			slot->start = end;
		}
		slot = vec__add(out);
		if (!slot)
			return -ENOMEM;
		*slot = next;
		end = at->end;
	}
	if (!out->n || !vec__add(out))
		return -ENOMEM;
	out->at[out->n - 1].start = end;
	return 0;
}

/* The list goes to a place of its own; then the one word that says where it is changes. */
static int replace(struct spaces *s, struct space *own, struct lt_space *space, const lt_mapping_list *list)
{
	int64_t first = extents__take(&s->mapping_extents, (uint32_t)list->n, clock__mono_ns());

	if (first < 0)
		return (int)first;
	memcpy(s->mappings + first, list->at, list->n * sizeof(*s->mappings));
	__atomic_store_n(&space->range, (uint64_t)first | (uint64_t)list->n << 32, __ATOMIC_RELEASE);
	/* After the range: who walks by the old generation may see the new mappings, never the other way round. */
	__atomic_store_n(&space->generation, ++s->generation, __ATOMIC_RELEASE);
	extents__give(&s->mapping_extents, own->first, (uint32_t)own->list.n, clock__mono_ns() + REST_NS);
	own->first = (uint32_t)first;
	vec__free(&own->list);
	memcpy(&own->list, list, sizeof(*list));
	return 0;
}

static bool has_plain(const struct space *own)
{
	const struct lt_mapping *at;

	vec__each (&own->list, at) {
		if (at->kind == LT_MAPPING_PLAIN && !at->file)
			return true;
	}
	return false;
}

static bool is_same(const struct space *own, const lt_mapping_list *list)
{
	return own->list.n == list->n && !memcmp(own->list.at, list->at, list->n * sizeof(*list->at));
}

int spaces__publish(struct spaces *s, uint32_t id, const struct mappings *m, uint32_t stale)
{
	struct space *own;
	lt_mapping_list list = {};
	int err;

	if (id >= LT_MAX_SPACES)
		return 0;
	own = &s->own[id];
	err = use_files(s, own, m);
	if (!err)
		err = list_mappings(s, m, &list);
	if (!err && is_same(own, &list))
		vec__free(&list);
	else if (!err)
		err = replace(s, own, &s->spaces[id], &list);
	if (!err) {
		__atomic_store_n(&s->spaces[id].has_plain, has_plain(own), __ATOMIC_RELEASE);
		__atomic_store_n(&s->spaces[id].fresh, stale, __ATOMIC_RELEASE);
		return 0;
	}
	vec__free(&list);
	/* The old ones may name files whose rows have just been given back. */
	__atomic_fetch_add(&s->spaces[id].stale, 1, __ATOMIC_RELEASE);
	return err;
}

uint32_t spaces__stale(const struct spaces *s, uint32_t space)
{
	const struct lt_space *at;
	uint32_t stale, state;

	if (space >= LT_MAX_SPACES)
		return 0;
	at = &s->spaces[space];
	stale = __atomic_load_n(&at->stale, __ATOMIC_ACQUIRE);
	state = __atomic_load_n(&at->link_state, __ATOMIC_ACQUIRE);
	/* What is read while the loader is at work is doubtful from the start: its next notice says when to read again.
	 */
	return state == LT_LINK_DELETE || (state == LT_LINK_ADD && at->has_plain) ? stale - 1 : stale;
}

void spaces__remove(struct spaces *s, uint32_t id)
{
	struct used_file *used;
	struct space *own;

	if (id >= LT_MAX_SPACES || !s->own[id].used)
		return;
	own = &s->own[id];
	__atomic_store_n(&s->spaces[id].range, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&s->spaces[id].generation, ++s->generation, __ATOMIC_RELEASE);
	__atomic_fetch_add(&s->spaces[id].stale, 1, __ATOMIC_RELEASE);
	extents__give(&s->mapping_extents, own->first, (uint32_t)own->list.n, clock__mono_ns() + REST_NS);
	vec__each (&own->files, used)
		leave_file(s, used->file);
	vec__free(&own->files);
	vec__free(&own->list);
	memset(own, 0, sizeof(*own));
}

unsigned int spaces__files_without_room(const struct spaces *s)
{
	return s->no_room;
}
