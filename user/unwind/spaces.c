/* SPDX-License-Identifier: GPL-2.0-only */
#include "unwind.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "leaktrace.skel.h"
#include "unwind/extents.h"
#include "unwind/spaces.h"

/* At least; 2 MiB, twice what a compiler (one of the largest processes by code) needs. */
#define MIN_ROWS (256u << 10)
#define REST_NS	 NSEC_PER_SEC

struct space {
	bool used;
	uint32_t first;			/* of its mappings in the kernel's map */
	VEC(struct lt_mapping) list;	/* as published */
	VEC(struct file_table *) files; /* that they name, each once */
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
	s->n_rows = bpf_map__max_entries(bpf->maps.rows);
	s->rows = map_array(bpf->maps.rows, sizeof(*s->rows), &s->rows_size);
	s->mappings = map_array(bpf->maps.mappings, sizeof(*s->mappings), &s->mappings_size);
	s->spaces = map_array(bpf->maps.spaces, sizeof(*s->spaces), &s->spaces_size);
	if (s->rows && s->mappings && s->spaces && !extents__init(&s->row_extents, s->n_rows) &&
	    !extents__init(&s->mapping_extents, LT_MAX_MAPPINGS))
		return s;
	err__set(e, -errno, "cannot map the unwind tables: %s", strerror(errno));
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

/* The rows of a file are in the map while somebody uses them. */
static void use_file(struct spaces *s, struct file_table *f)
{
	uint32_t n = (uint32_t)f->table.rows.n;

	if (f->users++ || !n)
		return;
	f->first = extents__take(&s->row_extents, n, clock__mono_ns());
	if (f->first >= 0)
		memcpy(s->rows + f->first, f->table.rows.at, n * sizeof(*s->rows));
	else if (!s->no_room++)
		log__warn("the unwind tables are full: stacks through the libraries that came last are walked in user "
			  "space, which costs much more");
}

static void leave_file(struct spaces *s, struct file_table *f)
{
	if (--f->users || f->first < 0)
		return;
	extents__give(&s->row_extents, (uint32_t)f->first, (uint32_t)f->table.rows.n, clock__mono_ns() + REST_NS);
	f->first = -1;
}

/* Take what the next list names before what the last one named is let go: most of it is the same. */
static int use_files(struct spaces *s, struct space *own, const struct mappings *m)
{
	VEC(struct file_table *) files = {}, old;
	const struct mapping *at;
	struct file_table *f, **slot;

	vec__each (&m->list, at) {
		bool known = false;

		f = at->module ? tables__get(s->tables, at->module) : NULL;
		vec__each (&files, slot)
			known |= *slot == f;
		if (!f || known)
			continue;
		slot = vec__add(&files);
		if (!slot)
			break;
		*slot = f;
		use_file(s, f);
	}
	memcpy(&old, &own->files, sizeof(old));
	memcpy(&own->files, &files, sizeof(files));
	vec__each (&old, slot)
		leave_file(s, *slot);
	vec__free(&old);
	return 0;
}

static void describe(const struct spaces *s, const struct mapping *at, struct lt_mapping *out)
{
	const struct file_table *f = at->module ? tables__get(s->tables, at->module) : NULL;
	uint64_t vaddr;

	out->start = at->start;
	out->kind = LT_MAPPING_PLAIN;
	if (!f)
		return;
	out->file = f->number;
	out->bias = at->start - at->offset;
	if (f->err || !f->table.rows.n || segments__address(&f->segments, at->offset, &vaddr))
		return;
	out->bias = at->start - vaddr + f->table.base;
	out->kind = f->first >= 0 ? LT_MAPPING_TABLE : LT_MAPPING_FULL;
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
	if (err)
		vec__free(&list);
	else
		__atomic_store_n(&s->spaces[id].fresh, stale, __ATOMIC_RELEASE);
	return err;
}

uint32_t spaces__stale(const struct spaces *s, uint32_t space)
{
	const struct lt_space *at;
	uint32_t stale;

	if (space >= LT_MAX_SPACES)
		return 0;
	at = &s->spaces[space];
	stale = __atomic_load_n(&at->stale, __ATOMIC_ACQUIRE);
	/* While a library is being unmapped no reading is worth anything: the loader's next notice says when. */
	return __atomic_load_n(&at->link_state, __ATOMIC_ACQUIRE) == LT_LINK_DELETE ? stale - 1 : stale;
}

void spaces__remove(struct spaces *s, uint32_t id)
{
	struct file_table **f;
	struct space *own;

	if (id >= LT_MAX_SPACES || !s->own[id].used)
		return;
	own = &s->own[id];
	__atomic_store_n(&s->spaces[id].range, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&s->spaces[id].generation, ++s->generation, __ATOMIC_RELEASE);
	__atomic_fetch_add(&s->spaces[id].stale, 1, __ATOMIC_RELEASE);
	extents__give(&s->mapping_extents, own->first, (uint32_t)own->list.n, clock__mono_ns() + REST_NS);
	vec__each (&own->files, f)
		leave_file(s, *f);
	vec__free(&own->files);
	vec__free(&own->list);
	memset(own, 0, sizeof(*own));
}

unsigned int spaces__files_without_room(const struct spaces *s)
{
	return s->no_room;
}
