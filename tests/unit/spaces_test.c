/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel side is told of mappings and tables, in real maps: as root only, skipped else. */
#include "unwind_abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect/images.h"
#include "leaktrace.skel.h"
#include "select/module.h"
#include "unwind/spaces.h"

#define ROWS (64u << 10)
#define JIT  0x10000000ull

struct world {
	struct leaktrace_bpf *bpf;
	struct tables *tables;
	struct spaces *spaces;
	struct module self;
	/* The maps as the walker sees them. */
	struct lt_row *rows;
	uint32_t n_rows;
	struct lt_mapping *mappings;
	struct lt_space *space;
};

static const char *why_not; /* the maps cannot be made */

static void *map_array(struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static int set_up_with(void **state, uint32_t rows)
{
	static struct world w;
	struct err e = {};

	memset(&w, 0, sizeof(w));
	*state = &w;
	w.bpf = leaktrace_bpf__open();
	assert_non_null(w.bpf);
	bpf_map__set_max_entries(w.bpf->maps.rows, rows);
	if (leaktrace_bpf__load(w.bpf)) {
		why_not = "no BPF maps here (needs root)";
		leaktrace_bpf__destroy(w.bpf);
		w.bpf = NULL;
		return 0;
	}
	w.self.path = (char *)"self";
	w.self.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	w.tables = tables__new();
	w.spaces = spaces__new(w.bpf, w.tables, &e);
	assert_non_null(w.spaces);
	w.n_rows = rows;
	w.rows = map_array(w.bpf->maps.rows, rows * sizeof(*w.rows));
	w.mappings = map_array(w.bpf->maps.mappings, LT_MAX_MAPPINGS * sizeof(*w.mappings));
	w.space = map_array(w.bpf->maps.spaces, LT_MAX_SPACES * sizeof(*w.space));
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, ROWS);
}

/* Room for this program, and not for another. */
static int set_up_narrow(void **state)
{
	struct module self = {.path = (char *)"self", .fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
	struct tables *t = tables__new();
	uint32_t rows = (uint32_t)tables__get(t, &self)->table.rows.n;

	tables__free(t);
	close(self.fd);
	return set_up_with(state, rows + rows / 2);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (!w->bpf)
		return 0;
	munmap(w->rows, w->n_rows * sizeof(*w->rows));
	munmap(w->mappings, LT_MAX_MAPPINGS * sizeof(*w->mappings));
	munmap(w->space, LT_MAX_SPACES * sizeof(*w->space));
	spaces__free(w->spaces);
	tables__free(w->tables);
	close(w->self.fd);
	leaktrace_bpf__destroy(w->bpf);
	return 0;
}

static void need_maps(void)
{
	if (why_not) {
		print_message("skipped: %s\n", why_not);
		skip();
	}
}

static struct mapping at(uint64_t start, uint64_t end, uint64_t offset, struct module *m)
{
	return (struct mapping){.start = start, .end = end, .offset = offset, .module = m};
}

/* As the collector does it. */
static int publish(struct world *w, uint32_t space, struct mapping *list, size_t n)
{
	const struct mappings m = {.list = {.at = list, .n = n, .cap = n}};

	return spaces__publish(w->spaces, space, &m, spaces__stale(w->spaces, space));
}

static bool is_trusted(const struct lt_space *s)
{
	return s->fresh == s->stale;
}

static void assert_mapping(const struct lt_mapping *m, uint64_t start, enum lt_mapping_kind kind)
{
	assert_int_equal(m->start, start);
	assert_int_equal(m->kind, kind);
}

/* This program's code at a place, with executable memory next to it. */
static void a_file_and_others(void **state)
{
	struct world *w = *state;
	const struct file_table *f;
	const struct segment *s;
	const struct lt_mapping *m;
	struct mapping list[5];
	uint64_t code, end;
	uint32_t id;

	need_maps();
	f = tables__get(w->tables, &w->self);
	s = &f->segments.list.at[0];
	code = 0x7f0000000000 + (s->offset & ~4095ull);
	end = code + ((s->size + 8191) & ~4095ull);
	list[0] = at(JIT, JIT + 0x1000, 0, NULL);
	list[1] = at(JIT + 0x1000, JIT + 0x3000, 0, NULL);
	list[2] = at(JIT + 0x8000, JIT + 0x9000, 0, NULL);
	list[3] = at(code, end, s->offset & ~4095ull, &w->self);
	list[4] = at(end, end + 0x1000, 0, NULL);
	id = spaces__add(w->spaces);
	assert_false(is_trusted(&w->space[id]));
	assert_int_equal(publish(w, id, list, 5), 0);
	assert_true(is_trusted(&w->space[id]));
	assert_int_equal(w->space[id].range >> 32, 7);
	m = w->mappings + (uint32_t)w->space[id].range;
	assert_mapping(&m[0], JIT, LT_MAPPING_PLAIN);
	assert_mapping(&m[1], JIT + 0x3000, LT_MAPPING_HOLE);
	assert_mapping(&m[2], JIT + 0x8000, LT_MAPPING_PLAIN);
	assert_mapping(&m[3], JIT + 0x9000, LT_MAPPING_HOLE);
	assert_mapping(&m[4], code, LT_MAPPING_TABLE);
	assert_mapping(&m[5], end, LT_MAPPING_PLAIN);
	assert_mapping(&m[6], end + 0x1000, LT_MAPPING_HOLE);
	assert_int_equal(m[4].file, f->number);
	assert_int_equal(m[4].n, f->table.rows.n);
	assert_int_equal(code - m[4].bias, (s->vaddr & ~4095ull) - f->table.base);
	assert_memory_equal(w->rows + m[4].first, f->table.rows.at, m[4].n * sizeof(*w->rows));
}

static void the_same_once_more(void **state)
{
	struct world *w = *state;
	struct mapping list[] = {at(JIT, JIT + 0x1000, 0, NULL)};
	struct lt_space before;
	uint32_t id;

	need_maps();
	id = spaces__add(w->spaces);
	publish(w, id, list, 1);
	before = w->space[id];
	/* A notice of the loader that changed nothing. */
	w->space[id].stale++;
	assert_int_equal(publish(w, id, list, 1), 0);
	assert_true(is_trusted(&w->space[id]));
	assert_int_equal(w->space[id].generation, before.generation);
	assert_int_equal(w->space[id].range, before.range);
	list[0].end += 0x1000;
	assert_int_equal(publish(w, id, list, 1), 0);
	assert_true(w->space[id].generation != before.generation);
	/* Not where another walk may be reading. */
	assert_true((uint32_t)w->space[id].range != (uint32_t)before.range);
}

/* What changes while mappings are read must show. */
static void a_change_in_between(void **state)
{
	struct world *w = *state;
	struct mapping list[] = {at(JIT, JIT + 0x1000, 0, NULL)};
	const struct mappings m = {.list = {.at = list, .n = 1, .cap = 1}};
	uint32_t id, stale;

	need_maps();
	id = spaces__add(w->spaces);
	stale = spaces__stale(w->spaces, id);
	w->space[id].stale++;
	assert_int_equal(spaces__publish(w->spaces, id, &m, stale), 0);
	assert_false(is_trusted(&w->space[id]));
	assert_int_equal(publish(w, id, list, 1), 0);
	assert_true(is_trusted(&w->space[id]));
}

/* The old ones stay, but nobody may trust them. */
static void more_mappings_than_fit(void **state)
{
	static struct mapping many[LT_MAX_MAPPINGS];
	struct world *w = *state;
	struct mapping list[] = {at(JIT, JIT + 0x1000, 0, NULL)};
	uint64_t range;
	uint32_t id;
	size_t i;

	need_maps();
	for (i = 0; i < LT_MAX_MAPPINGS; i++)
		many[i] = at(JIT + i * 0x2000, JIT + i * 0x2000 + 0x1000, 0, NULL);
	id = spaces__add(w->spaces);
	assert_int_equal(publish(w, id, list, 1), 0);
	range = w->space[id].range;
	assert_int_equal(publish(w, id, many, LT_MAX_MAPPINGS), -ENOSPC);
	assert_int_equal(w->space[id].range, range);
	assert_false(is_trusted(&w->space[id]));
	assert_int_equal(publish(w, id, list, 1), 0);
	assert_true(is_trusted(&w->space[id]));
}

/* A process of more mappings than there is room for is traced nevertheless. With the hole behind it, each takes two. */
static void a_process_of_many_mappings(void **state)
{
	size_t page = 4096, size = page * LT_MAX_MAPPINGS, i;
	char *code = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct world *w = *state;
	struct images images = {};
	struct image *img;

	need_maps();
	assert_true(code != MAP_FAILED);
	for (i = 0; i < size; i += 2 * page)
		assert_int_equal(mprotect(code + i, page, PROT_READ | PROT_EXEC), 0);
	images.modules = module_table__new();
	images.spaces = w->spaces;
	img = images__add(&images, getpid());
	assert_int_equal(image__read_mappings(img, &images), 0);
	munmap(code, size);
	assert_true(img->mappings.list.n > LT_MAX_MAPPINGS / 2);
	assert_false(is_trusted(&w->space[img->space]));
	assert_int_equal(image__read_mappings(img, &images), 0);
	assert_true(is_trusted(&w->space[img->space]));
	image__ended(img, &images, IMAGE_EXITED, 0);
	images__free(&images);
	module_table__free(images.modules);
}

static void spaces_come_and_go(void **state)
{
	struct world *w = *state;
	struct mapping list[] = {at(JIT, JIT + 0x1000, 0, NULL)};
	uint32_t i, id, generation;

	need_maps();
	for (i = 0; i < LT_MAX_SPACES; i++)
		assert_int_equal(spaces__add(w->spaces), i);
	assert_int_equal(spaces__add(w->spaces), LT_NO_SPACE);
	assert_int_equal(spaces__publish(w->spaces, LT_NO_SPACE, NULL, 0), 0);
	spaces__remove(w->spaces, LT_NO_SPACE);
	assert_int_equal(publish(w, 17, list, 1), 0);
	generation = w->space[17].generation;
	spaces__remove(w->spaces, 17);
	assert_int_equal(w->space[17].range, 0);
	assert_false(is_trusted(&w->space[17]));
	assert_true(w->space[17].generation != generation);
	id = spaces__add(w->spaces);
	assert_int_equal(id, 17);
	assert_false(is_trusted(&w->space[17]));
	assert_int_equal(w->space[17].link_state, LT_LINK_UNKNOWN);
}

/* Rows are there once for all who map the file. When the last is gone they rest, and the next copy lies elsewhere. */
static void rows_are_shared(void **state)
{
	struct world *w = *state;
	struct mapping list[1];
	struct file_table *f;
	uint32_t a, b;
	int64_t first;

	need_maps();
	f = tables__get(w->tables, &w->self);
	list[0] = at(0x7f0000000000, 0x7f0000100000, f->segments.list.at[0].offset & ~4095ull, &w->self);
	a = spaces__add(w->spaces);
	b = spaces__add(w->spaces);
	assert_int_equal(publish(w, a, list, 1), 0);
	first = f->first;
	assert_true(first >= 0);
	assert_int_equal(publish(w, b, list, 1), 0);
	assert_int_equal(f->first, first);
	assert_int_equal(f->users, 2);
	spaces__remove(w->spaces, a);
	assert_int_equal(f->first, first);
	spaces__remove(w->spaces, b);
	assert_int_equal(f->users, 0);
	assert_true(f->first < 0);
	a = spaces__add(w->spaces);
	assert_int_equal(publish(w, a, list, 1), 0);
	assert_true(f->first >= 0 && f->first != first);
}

/* A mapping of a file's data that somebody made executable: no part of its code, so its places are not the table's. */
static void code_outside_of_segments(void **state)
{
	struct world *w = *state;
	const struct lt_mapping *m;
	const struct file_table *f;
	struct mapping list[1];
	uint64_t offset = 0;
	uint32_t id;

	need_maps();
	f = tables__get(w->tables, &w->self);
	/* The file's headers; its code begins later. */
	assert_true(f->segments.list.at[0].offset >= 4096);
	list[0] = at(0x7f0000000000, 0x7f0000001000, 0, &w->self);
	id = spaces__add(w->spaces);
	assert_int_equal(publish(w, id, list, 1), 0);
	m = w->mappings + (uint32_t)w->space[id].range;
	assert_mapping(m, 0x7f0000000000, LT_MAPPING_PLAIN);
	/* Resolved by its pc, or to the right offset. */
	if (m->file) {
		tables__module(w->tables, m->file, (uint32_t)(0x7f0000000123 - m->bias), &offset);
		assert_int_equal(offset, 0x123);
	}
}

/* What the kernel side knows of a file by its inode. */
static int known(const struct world *w, const struct module *m, struct lt_file *f)
{
	struct lt_file_key key = {.inode = m->map_ino, .device = (uint64_t)major(m->map_dev) << 20 | minor(m->map_dev)};

	return bpf_map_lookup_elem(bpf_map__fd(w->bpf->maps.files), &key, f);
}

/* For each byte of code that is mapped, the mapping and the file's segments must name the same row and place. */
static void assert_same_places(const struct lt_mapping *m, const struct mapping *at, const struct lt_file *f)
{
	uint64_t pc;
	uint32_t i;

	assert_int_equal(m->file, f->file);
	assert_int_equal(m->n, f->n);
	assert_int_equal(m->first, f->first);
	for (pc = at->start; pc < at->end; pc += 1 + (at->end - at->start) / 1000) {
		uint64_t offset = pc - at->start + at->offset;

		for (i = 0; i < f->n_segments; i++) {
			const struct lt_segment *seg = &f->segments[i];

			if (offset - seg->offset < seg->size)
				assert_int_equal(offset - seg->bias, pc - m->bias);
		}
		if (!f->n_segments)
			assert_int_equal(offset, pc - m->bias);
	}
}

/* All files of this process, as found in a mapping and by their inodes. */
static void files_by_inode(void **state)
{
	struct world *w = *state;
	struct images images = {};
	const struct mapping *at;
	const struct lt_mapping *m;
	unsigned int n = 0;
	struct image *img;
	struct lt_file f;

	need_maps();
	images.modules = module_table__new();
	images.spaces = w->spaces;
	img = images__add(&images, getpid());
	assert_int_equal(image__read_mappings(img, &images), 0);
	vec__each (&img->mappings.list, at) {
		if (!at->module)
			continue;
		for (m = w->mappings + (uint32_t)w->space[img->space].range; m->start != at->start; m++)
			;
		if (at->module->vdso) {
			assert_int_equal(m->kind, LT_MAPPING_VDSO);
			continue;
		}
		assert_int_equal(known(w, at->module, &f), 0);
		assert_int_equal(m->kind, f.n ? LT_MAPPING_TABLE : LT_MAPPING_PLAIN);
		assert_same_places(m, at, &f);
		n++;
	}
	assert_true(n > 5);
	image__ended(img, &images, IMAGE_EXITED, 0);
	vec__each (&img->mappings.list, at) {
		if (at->module)
			assert_int_equal(known(w, at->module, &f), -ENOENT);
	}
	images__free(&images);
	module_table__free(images.modules);
}

/* What was unloaded is often loaded again: its rows stay until the process ends. */
static void files_stay(void **state)
{
	struct world *w = *state;
	struct mapping jit[] = {at(JIT, JIT + 0x1000, 0, NULL)}, list[1];
	struct file_table *f;
	struct lt_file known_as;
	int64_t first;
	uint32_t id;

	need_maps();
	w->self.map_ino = 1234;
	w->self.map_dev = makedev(8, 3);
	f = tables__get(w->tables, &w->self);
	list[0] = at(0x7f0000000000, 0x7f0000100000, f->segments.list.at[0].offset & ~4095ull, &w->self);
	id = spaces__add(w->spaces);
	assert_int_equal(publish(w, id, list, 1), 0);
	first = f->first;
	assert_int_equal(known(w, &w->self, &known_as), 0);
	assert_int_equal(publish(w, id, jit, 1), 0);
	assert_int_equal(f->first, first);
	assert_int_equal(f->users, 1);
	assert_int_equal(known(w, &w->self, &known_as), 0);
	assert_int_equal(publish(w, id, list, 1), 0);
	assert_int_equal(f->first, first);
	assert_int_equal(f->users, 1);
	spaces__remove(w->spaces, id);
	assert_int_equal(known(w, &w->self, &known_as), -ENOENT);
}

static struct module libc_of_ours(void)
{
	return (struct module){.path = (char *)"libc",
			       .fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
			       .root_fd = -1,
			       .build_id = {1},
			       .build_id_len = 20,
			       .map_ino = 99};
}

/* When room is needed it is taken from what nobody has mapped, and not from what is mapped. */
static void no_room(void **state)
{
	struct world *w = *state;
	struct module other = libc_of_ours();
	struct mapping list[2];
	const struct lt_mapping *m;
	uint64_t offset;
	struct lt_file f;
	int64_t first;
	uint32_t id;

	need_maps();
	w->self.map_ino = 98;
	offset = tables__get(w->tables, &w->self)->segments.list.at[0].offset & ~4095ull;
	list[0] = at(0x7f0000000000, 0x7f0000100000, offset, &other);
	list[1] = at(0x7f1000000000, 0x7f1000100000, offset, &w->self);
	id = spaces__add(w->spaces);
	assert_int_equal(publish(w, id, list + 1, 1), 0);
	first = tables__get(w->tables, &w->self)->first;
	assert_int_equal(spaces__files_without_room(w->spaces), 0);
	assert_int_equal(publish(w, id, list, 2), 0);
	assert_int_equal(spaces__files_without_room(w->spaces), 1);
	m = w->mappings + (uint32_t)w->space[id].range;
	assert_mapping(&m[0], 0x7f0000000000, LT_MAPPING_FULL);
	assert_mapping(&m[2], 0x7f1000000000, LT_MAPPING_TABLE);
	assert_int_equal(m[0].n, 0);
	assert_int_equal(tables__get(w->tables, &w->self)->first, first);
	assert_int_equal(known(w, &other, &f), -ENOENT);
	assert_int_equal(known(w, &w->self, &f), 0);
	/* Now it is unmapped, but its room has to rest. */
	assert_int_equal(publish(w, id, list, 1), 0);
	assert_int_equal(publish(w, id, list, 1), 0);
	assert_true(tables__get(w->tables, &w->self)->first < 0);
	assert_int_equal(known(w, &w->self, &f), -ENOENT);
	usleep(1100000);
	assert_int_equal(publish(w, id, list, 1), 0);
	m = w->mappings + (uint32_t)w->space[id].range;
	assert_mapping(&m[0], 0x7f0000000000, LT_MAPPING_TABLE);
	assert_int_equal(known(w, &other, &f), 0);
	spaces__remove(w->spaces, id);
	close(other.fd);
}

/* What is read while the loader is at work is not trusted. */
static void while_the_loader_is_at_work(void **state)
{
	struct world *w = *state;
	struct mapping jit[] = {at(JIT, JIT + 0x1000, 0, NULL)}, code[1];
	struct lt_space *s;
	uint32_t id;

	need_maps();
	code[0] = at(0x7f0000000000, 0x7f0000100000,
		     tables__get(w->tables, &w->self)->segments.list.at[0].offset & ~4095ull, &w->self);
	id = spaces__add(w->spaces);
	s = &w->space[id];
	assert_int_equal(publish(w, id, code, 1), 0);
	assert_false(s->has_plain);
	s->link_state = LT_LINK_ADD;
	assert_int_equal(publish(w, id, code, 1), 0);
	assert_true(is_trusted(s));
	/* It takes only addresses where nothing is, unless there is what the loader does not know. */
	assert_int_equal(publish(w, id, jit, 1), 0);
	assert_true(s->has_plain);
	assert_int_equal(publish(w, id, jit, 1), 0);
	assert_false(is_trusted(s));
	s->link_state = LT_LINK_DELETE;
	assert_int_equal(publish(w, id, code, 1), 0);
	assert_false(is_trusted(s));
	assert_false(s->has_plain);
	s->link_state = LT_LINK_CONSISTENT;
	assert_int_equal(publish(w, id, code, 1), 0);
	assert_true(is_trusted(s));
	assert_int_equal(spaces__stale(w->spaces, LT_NO_SPACE), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_and_others),
		TEST(the_same_once_more),
		TEST(a_change_in_between),
		TEST(more_mappings_than_fit),
		TEST(a_process_of_many_mappings),
		TEST(spaces_come_and_go),
		TEST(files_by_inode),
		TEST(files_stay),
		TEST(while_the_loader_is_at_work),
		cmocka_unit_test_setup_teardown(no_room, set_up_narrow, tear_down),
		TEST(rows_are_shared),
		TEST(code_outside_of_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
