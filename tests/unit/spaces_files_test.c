/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel side is told of files: their rows, and the inodes that it knows them by. */
#include "spaces_fixture.h"

#include "collect/images.h"

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

static struct module another_file(void)
{
	return (struct module){.path = (char *)"another",
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
	struct module other = another_file();
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
	assert_int_equal(publish(w, id, list, 2), 0);
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

/* Tables of all files are too large: user space finishes walks through this one, whose places are offsets. */
static void a_file_beyond_the_limit(void **state)
{
	struct world *w = *state;
	struct mapping list[] = {at(0x7f0000000000, 0x7f0000100000, 0x3000, &w->self)};
	const struct lt_mapping *m;
	struct file_table *f;
	struct lt_file by_inode;
	uint64_t offset = 0;
	uint32_t id;

	need_maps();
	w->self.map_ino = 77;
	f = tables__get(w->tables, &w->self);
	unwind_table__free(&f->table);
	f->err = -ENOSPC;
	id = spaces__add(w->spaces);
	assert_int_equal(publish(w, id, list, 1), 0);
	m = w->mappings + (uint32_t)w->space[id].range;
	assert_mapping(m, 0x7f0000000000, LT_MAPPING_FULL);
	assert_int_equal(m->n, 0);
	assert_ptr_equal(tables__module(w->tables, m->file, (uint32_t)(0x7f0000000123 - m->bias), &offset), &w->self);
	assert_int_equal(offset, 0x3123);
	assert_int_equal(known(w, &w->self, &by_inode), -ENOENT);
	spaces__remove(w->spaces, id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_by_inode),		TEST(files_stay),
		TEST(a_file_beyond_the_limit),	TEST(rows_are_shared),
		TEST(code_outside_of_segments), cmocka_unit_test_setup_teardown(no_room, set_up_narrow, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
