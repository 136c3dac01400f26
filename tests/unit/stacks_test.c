/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks as they arrive: resolved to files, joined where their frames are the same, refused where they are broken. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect/stacks.h"
#include "collect/walked.h"
#include "random_numbers.h"
#include "unwind/tables.h"

#define SITES 3000
#define SLOT  3
#define FN    5

struct world {
	struct stacks stacks;
	struct images images;
	struct image *img;
};

static int set_up(void **state)
{
	static struct world w;
	struct image *other;

	memset(&w, 0, sizeof(w));
	*state = &w;
	w.images.modules = module_table__new();
	w.img = images__add(&w.images, getpid());
	other = images__add(&w.images, getpid());
	if (!w.img || !other || image__read_mappings(w.img, &w.images) || image__read_mappings(other, &w.images))
		return -1;
	w.img->slot = SLOT;
	other->slot = SLOT + 1;
	return stacks__init(&w.stacks, SITES, tables__new());
}

static int tear_down(void **state)
{
	struct world *w = *state;

	tables__free(w->stacks.tables);
	stacks__free(&w->stacks);
	images__free(&w->images);
	module_table__free(w->images.modules);
	return 0;
}

static struct lt_rec_stack record(uint32_t site, uint16_t n, const uint64_t *pcs)
{
	struct lt_rec_stack r = {.type = LT_REC_STACK, .slot = SLOT, .site = site, .n = n};
	unsigned int i;

	for (i = 0; i < n && i < LT_MAX_FRAMES; i++)
		r.frames[i].pc = pcs[i];
	return r;
}

static size_t size_of(const struct lt_rec_stack *r)
{
	return offsetof(struct lt_rec_stack, frames) + r->n * sizeof(r->frames[0]);
}

static int add(struct world *w, const struct lt_rec_stack *r, uint16_t fn)
{
	return stacks__add(&w->stacks, &w->images, fn, r, size_of(r));
}

/* A place in this program, some way into a function. */
static uint64_t here(unsigned int bytes)
{
	return (uint64_t)here + bytes;
}

static void frames_in_files(void **state)
{
	const uint64_t pcs[] = {here(0), here(4), 0x1000, here(8), 0, here(9)};
	struct lt_rec_stack r = record(7, 6, pcs);
	struct world *w = *state;
	const struct mapping *at = mappings__find(&w->img->mappings, here(0));
	const struct stack *s = &w->stacks.by_site[7];

	r.interrupted[0] = 1 << 3;
	r.end = LT_END_UNREADABLE;
	r.flags = LT_STACK_GUESSED;
	assert_int_equal(add(w, &r, FN), 0);
	/* A frame at zero is none. */
	assert_int_equal(s->n, 4);
	assert_int_equal(s->fn, FN);
	assert_int_equal(s->slot, SLOT);
	assert_int_equal(s->end, LT_END_UNREADABLE);
	assert_int_equal(s->flags, LT_STACK_GUESSED);
	assert_false(s->finished);
	assert_ptr_equal(s->frames[1].module, at->module);
	assert_int_equal(s->frames[1].offset, here(4) - at->start + at->offset);
	assert_null(s->frames[2].module);
	assert_int_equal(s->frames[2].pc, 0x1000);
	assert_false(s->frames[0].is_return_address);
	assert_true(s->frames[1].is_return_address);
	assert_true(s->frames[2].is_return_address);
	assert_false(s->frames[3].is_return_address);
}

static void a_second_record(void **state)
{
	const uint64_t pcs[] = {here(0), here(4)}, others[] = {here(0), here(8), here(9)};
	struct lt_rec_stack r = record(0, 2, pcs), second = record(0, 3, others);
	struct world *w = *state;

	assert_int_equal(add(w, &r, FN), 0);
	assert_int_equal(add(w, &second, FN), 0);
	assert_int_equal(w->stacks.by_site[0].n, 2);
	assert_int_equal(stacks__primary(&w->stacks, 0), 0);
}

/* By the tables' places and by their pcs: the same frames. */
static void sites_with_the_same_frames(void **state)
{
	const uint64_t pcs[] = {here(0), here(4), 0x1000};
	struct lt_rec_stack by_pc = record(2, 3, pcs), by_place = record(9, 3, pcs), third = record(1, 3, pcs);
	struct world *w = *state;
	const struct mapping *at = mappings__find(&w->img->mappings, here(0));
	const struct file_table *f = tables__get(w->stacks.tables, at->module);
	uint64_t vaddr;

	assert_int_equal(segments__address(&f->segments, here(4) - at->start + at->offset, &vaddr), 0);
	by_place.frames[1].place = lt_place(f->number, vaddr - f->table.base);
	by_place.frames[1].pc = 0x77777; /* where it was is long gone */
	by_place.frames[2].place = 0x1000 | LT_PLACE_PC;
	assert_int_equal(add(w, &by_pc, FN), 0);
	assert_int_equal(add(w, &by_place, FN), 0);
	assert_int_equal(add(w, &third, FN), 0);
	assert_int_equal(stacks__primary(&w->stacks, 2), 2);
	assert_int_equal(stacks__primary(&w->stacks, 9), 2);
	assert_int_equal(stacks__primary(&w->stacks, 1), 2);
	assert_int_equal(w->stacks.by_site[2].next, 1);
	assert_int_equal(w->stacks.by_site[1].next, 9);
	assert_int_equal(w->stacks.by_site[9].next, NO_SITE);
	/* One that has not arrived is itself. */
	assert_int_equal(stacks__primary(&w->stacks, 3), 3);
	assert_int_equal(stacks__primary(&w->stacks, SITES + 10), SITES + 10);
}

/* As in two containers: the kernel side knows them as one file, so a walk of user space must, too. */
static void copies_of_a_file(void **state)
{
	const uint64_t pcs[] = {here(0), here(4)};
	struct lt_rec_stack by_pc = record(0, 2, pcs), by_place = record(1, 2, pcs);
	struct world *w = *state;
	const struct mapping *found = mappings__find(&w->img->mappings, here(0));
	struct mapping *at = &w->img->mappings.list.at[found - w->img->mappings.list.at];
	struct module copy = *at->module;
	const struct file_table *f;
	uint64_t vaddr;

	at->module->build_id_len = copy.build_id_len = BUILD_ID_MAX;
	memset(at->module->build_id, 7, BUILD_ID_MAX);
	memset(copy.build_id, 7, BUILD_ID_MAX);
	f = tables__get(w->stacks.tables, at->module);
	assert_ptr_equal(tables__get(w->stacks.tables, &copy), f);
	assert_int_equal(segments__address(&f->segments, here(4) - at->start + at->offset, &vaddr), 0);
	by_place.frames[1].place = lt_place(f->number, vaddr - f->table.base);
	at->module = &copy;
	assert_int_equal(add(w, &by_pc, FN), 0);
	assert_int_equal(add(w, &by_place, FN), 0);
	assert_int_equal(stacks__primary(&w->stacks, 1), 0);
}

static void sites_that_differ(void **state)
{
	const uint64_t pcs[] = {here(0), here(4), 0x1000}, longer[] = {here(0), here(4), 0x1000, 0x1000},
		       elsewhere[] = {here(0), here(5), 0x1000}, no_file[] = {here(0), here(4), 0x1001};
	struct lt_rec_stack r[] = {record(0, 3, pcs),	  record(1, 3, pcs),	record(2, 3, pcs),
				   record(3, 2, pcs),	  record(4, 4, longer), record(5, 3, elsewhere),
				   record(6, 3, no_file), record(7, 3, pcs)};
	struct world *w = *state;
	unsigned int i;

	r[1].slot = SLOT + 1;
	r[7].interrupted[0] = 1 << 1;
	for (i = 0; i < 8; i++)
		assert_int_equal(add(w, &r[i], i == 2 ? FN + 1 : FN), 0);
	for (i = 0; i < 8; i++) {
		assert_int_equal(stacks__primary(&w->stacks, i), i);
		assert_int_equal(w->stacks.by_site[i].next, NO_SITE);
	}
}

static void broken_records(void **state)
{
	const uint64_t pcs[] = {here(0), here(4)};
	struct lt_rec_stack r = record(0, 2, pcs);
	struct world *w = *state;
	size_t size;

	for (size = 0; size < size_of(&r); size++)
		assert_int_equal(stacks__add(&w->stacks, &w->images, FN, &r, size), -EPROTO);
	r.n = 0;
	assert_int_equal(stacks__add(&w->stacks, &w->images, FN, &r, sizeof(r)), -EPROTO);
	r.n = LT_MAX_FRAMES + 1;
	assert_int_equal(stacks__add(&w->stacks, &w->images, FN, &r, 2 * sizeof(r)), -EPROTO);
	r.n = 2;
	r.type = LT_REC_PARTIAL;
	assert_int_equal(stacks__add(&w->stacks, &w->images, FN, &r, sizeof(struct lt_rec_partial) - 1), -EPROTO);
	r.type = LT_REC_STACK;
	r.site = SITES;
	assert_int_equal(add(w, &r, FN), -EPROTO);
	r.site = UINT32_MAX;
	assert_int_equal(add(w, &r, FN), -EPROTO);
	/* Of a process that is not known: no error, and no frames. */
	r.site = 0;
	r.slot = SLOT + 77;
	assert_int_equal(add(w, &r, FN), 0);
	assert_null(w->stacks.by_site[0].frames);
}

/* Nothing of the stack could be copied, so that user space comes no further than the kernel side. */
static void a_stack_that_cannot_be_finished(void **state)
{
	static struct lt_rec_partial p;
	const uint64_t pcs[] = {here(0), here(4), here(8), here(12), here(16), here(20)};
	struct world *w = *state;

	memset(&p, 0, sizeof(p));
	p.stack = record(0, 6, pcs);
	p.stack.type = LT_REC_PARTIAL;
	p.stack.end = LT_END_NO_RULE;
	p.regs[16] = here(0);
	p.n_near = p.n_far = UINT32_MAX;
	p.n_replaced = UINT32_MAX;
	assert_int_equal(stacks__add(&w->stacks, &w->images, FN, &p.stack, sizeof(p)), 0);
	assert_int_equal(w->stacks.by_site[0].n, 6);
	assert_int_equal(w->stacks.by_site[0].end, LT_END_NO_RULE);
	assert_false(w->stacks.by_site[0].finished);
	assert_int_equal(w->stacks.by_site[0].frames[5].pc, here(20));
}

/* Its frames are doubtful, but better than none. */
static void a_doubtful_stack(void **state)
{
	static struct lt_rec_partial p;
	const uint64_t pcs[] = {here(0), here(4), here(8)};
	struct world *w = *state;

	memset(&p, 0, sizeof(p));
	p.stack = record(0, 3, pcs);
	p.stack.type = LT_REC_PARTIAL;
	p.stack.end = LT_END_STALE;
	p.regs[16] = here(0);
	assert_int_equal(stacks__add(&w->stacks, &w->images, FN, &p.stack, sizeof(p)), 0);
	assert_true(w->stacks.by_site[0].n > 0);
	assert_int_equal(w->stacks.by_site[0].frames[0].pc, here(0));
}

static void why_it_is_not_whole(void **state)
{
	unsigned int end;

	(void)state;
	assert_null(lt_stack_end__words(LT_END_WHOLE));
	for (end = 1; end < LT_END_MAX + 3; end++)
		assert_true(strlen(lt_stack_end__words((enum lt_stack_end)end)) > 10);
}

static uint32_t pick(uint32_t n)
{
	static uint64_t state = RANDOM_SEED;

	return (uint32_t)((next_random(&state) >> 20) % n);
}

/* Many stacks of few frames, some in files: joined exactly where they are equal, in whatever order they come. */
static void random_stacks(void **state)
{
	static struct lt_rec_stack all[SITES];
	static uint16_t fns[SITES];
	static uint32_t order[SITES];
	struct world *w = *state;
	uint32_t i, k, members = 0;

	for (i = 0; i < SITES; i++) {
		uint64_t pcs[6] = {here(0)};
		uint16_t n = (uint16_t)(2 + pick(4));

		for (k = 1; k < n; k++)
			pcs[k] = pick(2) ? here(1 + pick(3)) : 0x1000 + pick(3);
		all[i] = record(i, n, pcs);
		all[i].slot = SLOT + pick(2);
		fns[i] = (uint16_t)pick(2);
		order[i] = i;
	}
	for (i = SITES - 1; i > 0; i--) {
		uint32_t j = pick(i + 1), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (i = 0; i < SITES; i++) {
		uint32_t id = order[i], primary;

		assert_int_equal(add(w, &all[id], fns[id]), 0);
		for (k = 0; k < i; k++) {
			const struct lt_rec_stack *r = &all[order[k]];

			if (r->n == all[id].n && r->slot == all[id].slot && fns[order[k]] == fns[id] &&
			    !memcmp(r->frames, all[id].frames, sizeof(r->frames)))
				break;
		}
		primary = stacks__primary(&w->stacks, id);
		assert_int_equal(primary, order[k]);
	}
	/* Each is in the list of its primary, once. */
	for (i = 0; i < SITES; i++) {
		if (stacks__primary(&w->stacks, i) != i)
			continue;
		for (k = i; k != NO_SITE; k = w->stacks.by_site[k].next) {
			assert_int_equal(stacks__primary(&w->stacks, k), i);
			assert_true(++members <= SITES);
		}
	}
	assert_int_equal(members, SITES);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_in_files),
		TEST(a_second_record),
		TEST(sites_with_the_same_frames),
		TEST(copies_of_a_file),
		TEST(sites_that_differ),
		TEST(broken_records),
		TEST(a_stack_that_cannot_be_finished),
		TEST(a_doubtful_stack),
		cmocka_unit_test(why_it_is_not_whole),
		TEST(random_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
