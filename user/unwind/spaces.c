/* SPDX-License-Identifier: GPL-2.0-only */
#include "unwind_abi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "leaktrace.skel.h"
#include "unwind/extents.h"
#include "unwind/file_rows.h"
#include "unwind/mapping_list.h"
#include "unwind/shared_array.h"
#include "unwind/spaces.h"

/* A file that an address space has mapped, or had: what was unloaded is often loaded again. */
struct used_file {
	struct file_table *file;
	bool mapped;
};

struct space {
	bool used;
	uint32_t first;		       /* of its mappings in the kernel's map */
	struct mapping_list published; /* these */
	VEC(struct used_file) files;   /* each once */
};

struct spaces {
	struct tables *tables;
	struct file_rows *rows;
	struct shared_array mappings, spaces;
	struct extents extents; /* of mappings */
	struct space own[LT_MAX_SPACES];
	uint32_t generation; /* the last one given to any space */
};

struct spaces *spaces__new(struct leaktrace_bpf *bpf, struct tables *tables, struct err *e)
{
	struct spaces *s = calloc(1, sizeof(*s));

	if (!s) {
		err__set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	s->tables = tables;
	s->rows = file_rows__new(bpf->maps.rows, bpf->maps.files);
	if (s->rows && !shared_array__map(&s->mappings, bpf->maps.mappings, sizeof(struct lt_mapping)) &&
	    !shared_array__map(&s->spaces, bpf->maps.spaces, sizeof(struct lt_space)) &&
	    !extents__init(&s->extents, LT_MAX_MAPPINGS))
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
		mapping_list__free(&s->own[i].published);
		vec__free(&s->own[i].files);
	}
	file_rows__free(s->rows);
	shared_array__unmap(&s->mappings);
	shared_array__unmap(&s->spaces);
	extents__free(&s->extents);
	free(s);
}

/* As the kernel side has it. */
static struct lt_space *shared(const struct spaces *s, uint32_t id)
{
	return (struct lt_space *)s->spaces.at + id;
}

uint32_t spaces__add(struct spaces *s)
{
	uint32_t i;

	for (i = 0; i < LT_MAX_SPACES; i++) {
		struct lt_space *space = shared(s, i);

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
			file_rows__leave(s->rows, used->file);
			*used = s->own[i].files.at[--s->own[i].files.n];
		}
	}
}

static int use_file(struct space *own, struct file_table *f)
{
	struct used_file *used;

	vec__each (&own->files, used) {
		if (used->file != f)
			continue;
		used->mapped = true;
		return 0;
	}
	used = vec__add(&own->files);
	if (!used)
		return -ENOMEM;
	used->file = f;
	used->mapped = true;
	file_rows__use(f);
	return 0;
}

/* It is known what is mapped before room for rows is taken from what is not. */
static int use_files(struct spaces *s, struct space *own, const struct mappings *m)
{
	struct used_file *used;
	const struct mapping *at;

	vec__each (&own->files, used)
		used->mapped = false;
	vec__each (&m->list, at) {
		struct file_table *f = at->module ? tables__get(s->tables, at->module) : NULL;

		if (f && use_file(own, f))
			return -ENOMEM;
	}
	vec__each (&m->list, at) {
		struct file_table *f = at->module ? tables__get(s->tables, at->module) : NULL;

		if (!f)
			continue;
		if (file_rows__load(s->rows, f))
			leave_unmapped(s);
		file_rows__name(s->rows, at->module, f);
	}
	return 0;
}

/* The list, which is taken over, goes to a place of its own; then the one word that says where it is changes. */
static int replace(struct spaces *s, struct space *own, struct lt_space *space, struct mapping_list *list)
{
	int64_t first = extents__take(&s->extents, (uint32_t)list->list.n, clock__mono_ns());

	if (first < 0)
		return (int)first;
	memcpy((struct lt_mapping *)s->mappings.at + first, list->list.at, list->list.n * sizeof(*list->list.at));
	__atomic_store_n(&space->range, (uint64_t)first | (uint64_t)list->list.n << 32, __ATOMIC_RELEASE);
	/* After the range: who walks by the old generation may see the new mappings, never the other way round. */
	__atomic_store_n(&space->generation, ++s->generation, __ATOMIC_RELEASE);
	extents__give(&s->extents, own->first, (uint32_t)own->published.list.n, clock__mono_ns() + LT_REST_NS);
	own->first = (uint32_t)first;
	mapping_list__free(&own->published);
	own->published = *list;
	memset(list, 0, sizeof(*list));
	return 0;
}

int spaces__publish(struct spaces *s, uint32_t id, const struct mappings *m, uint32_t stale)
{
	struct mapping_list list = {};
	struct lt_space *space;
	struct space *own;
	int err;

	if (id >= LT_MAX_SPACES)
		return 0;
	own = &s->own[id];
	space = shared(s, id);
	err = use_files(s, own, m);
	if (!err)
		err = mapping_list__make(&list, s->tables, m);
	if (!err && !mapping_list__is_same(&own->published, &list))
		err = replace(s, own, space, &list);
	mapping_list__free(&list);
	if (err) {
		/* The old ones may name files whose rows have just been given back. */
		__atomic_fetch_add(&space->stale, 1, __ATOMIC_RELEASE);
		return err;
	}
	__atomic_store_n(&space->has_plain, mapping_list__has_plain(&own->published), __ATOMIC_RELEASE);
	__atomic_store_n(&space->fresh, stale, __ATOMIC_RELEASE);
	return 0;
}

uint32_t spaces__epoch(const struct spaces *s, uint32_t space)
{
	return space < LT_MAX_SPACES ? __atomic_load_n(&shared(s, space)->stale, __ATOMIC_ACQUIRE) : 0;
}

uint32_t spaces__stale(const struct spaces *s, uint32_t space)
{
	uint32_t stale = spaces__epoch(s, space), state;
	const struct lt_space *at;

	if (space >= LT_MAX_SPACES)
		return 0;
	at = shared(s, space);
	state = __atomic_load_n(&at->link_state, __ATOMIC_ACQUIRE);
	/* What is read while the loader is at work is doubtful from the start: its next notice says when to read again.
	 */
	return state == LT_LINK_DELETE || (state == LT_LINK_ADD && at->has_plain) ? stale - 1 : stale;
}

void spaces__remove(struct spaces *s, uint32_t id)
{
	struct used_file *used;
	struct lt_space *space;
	struct space *own;

	if (id >= LT_MAX_SPACES || !s->own[id].used)
		return;
	own = &s->own[id];
	space = shared(s, id);
	__atomic_store_n(&space->range, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&space->generation, ++s->generation, __ATOMIC_RELEASE);
	__atomic_fetch_add(&space->stale, 1, __ATOMIC_RELEASE);
	extents__give(&s->extents, own->first, (uint32_t)own->published.list.n, clock__mono_ns() + LT_REST_NS);
	vec__each (&own->files, used)
		file_rows__leave(s->rows, used->file);
	vec__free(&own->files);
	mapping_list__free(&own->published);
	memset(own, 0, sizeof(*own));
}
