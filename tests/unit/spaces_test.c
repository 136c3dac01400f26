/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel side is told of mappings, and when it may trust them. */
#include "spaces_fixture.h"

#include "collect/images.h"

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

/* What lies at an address in the middle of a change may have come there since the last stack of before. */
static void readings_of_no_epoch(void **state)
{
	static const struct {
		uint32_t link_state;
		bool settled;
	} cases[] = {{LT_LINK_UNKNOWN, true}, {LT_LINK_DELETE, false}, {LT_LINK_CONSISTENT, true}};
	struct world *w = *state;
	struct images images = {};
	const struct mapping *at;
	struct lt_space *s;
	struct image *img;
	unsigned int i;

	need_maps();
	images.modules = module_table__new();
	images.spaces = w->spaces;
	img = images__add(&images, getpid());
	s = &w->space[img->space];
	for (i = 0; i < 3; i++) {
		s->stale++;
		s->link_state = cases[i].link_state;
		/* So that none is there from the start. */
		img->first_epoch = 1000;
		vec__each (&img->mappings.list, at)
			((struct mapping *)at)->since = 0;
		assert_int_equal(image__read_mappings(img, &images), 0);
		assert_int_equal(img->epoch, cases[i].settled ? s->stale : LT_NO_EPOCH);
		assert_int_equal(is_trusted(s), cases[i].settled);
		vec__each (&img->mappings.list, at)
			assert_int_equal(at->since, cases[i].settled ? s->stale : s->stale + 1);
	}
	image__ended(img, &images, IMAGE_EXITED, 0);
	images__free(&images);
	module_table__free(images.modules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_and_others),	   TEST(the_same_once_more),	     TEST(a_change_in_between),
		TEST(more_mappings_than_fit),	   TEST(a_process_of_many_mappings), TEST(spaces_come_and_go),
		TEST(while_the_loader_is_at_work), TEST(readings_of_no_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
