/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records that user space finishes, by readings of the mappings that are of their time or later. The stack is one of
 * this program, through libc, which the hand-made mappings say is there or was replaced.
 */
#include "finish_fixture.h"

#include <errno.h>
#include <gnu/libc-version.h>

#include "collect/walked.h"
#include "unwind/tables.h"

#define STALE 10 /* lt_space.stale at the time of the record */
#define SLOT  3

struct world {
	struct images images;
	struct image *img;
	struct walk_context context;
	struct mappings real; /* as they were when the record was made */
	struct module *libc;
	uint32_t others_since; /* what is not libc, in readings */
	struct module other;   /* that came to lie where libc was; the same file, so that it could be walked */
	struct lt_rec_partial rec;
	struct walked result;
};

static int compare(const void *key, const void *element)
{
	(void)key, (void)element;
	probe();
	KEEP_FRAME;
	return 0;
}

/* A stack with frames of libc above, and below, those of this program. */
static void take_moment(void)
{
	void *(*volatile search)(const void *, const void *, size_t, size_t, int (*)(const void *, const void *)) =
		bsearch;

	assert_non_null(search("", "", 1, 1, compare));
}

static void make_record(struct lt_rec_partial *rec)
{
	size_t near = moment.size < LT_PARTIAL_NEAR ? moment.size : LT_PARTIAL_NEAR;

	memset(rec, 0, sizeof(*rec));
	rec->stack.type = LT_REC_PARTIAL;
	rec->stack.slot = SLOT;
	rec->stack.n = 2;
	rec->stack.end = LT_END_STALE;
	rec->stack.frames[0].pc = moment.regs[REG_PC];
	rec->stack.frames[1].pc = moment.pcs[0];
	rec->stale = STALE;
	memcpy(rec->regs, moment.regs, sizeof(rec->regs));
	rec->n_near = (uint32_t)near;
	memcpy(rec->near, moment.bytes, near);
	rec->far_sp = moment.regs[REG_SP] + near;
	rec->n_far = (uint32_t)(moment.size - near);
	memcpy(rec->far, moment.bytes + near, rec->n_far);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	assert_non_null(w);
	take_moment();
	make_record(&w->rec);
	w->images.modules = module_table__new();
	w->img = images__add(&w->images, getpid());
	w->img->mappings_stale = false;
	w->img->epoch = w->img->earlier_epoch = LT_NO_EPOCH;
	assert_int_equal(mappings__refresh(&w->real, w->images.modules, getpid()), 0);
	w->libc = mappings__find(&w->real, (uint64_t)gnu_get_libc_version)->module;
	w->other = *w->libc;
	w->other.build_id_len = 0;
	w->context.finisher = finisher__new();
	w->context.tables = tables__new();
	w->context.images = &w->images;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	finisher__free(w->context.finisher);
	tables__free(w->context.tables);
	mappings__free(&w->real);
	images__free(&w->images);
	module_table__free(w->images.modules);
	free(w);
	return 0;
}

/* A reading in which libc lies where it does since that epoch, or another instead. */
static void read_as(struct world *w, struct mappings *to, uint32_t libc_since, bool replaced)
{
	const struct mapping *from;

	vec__each (&w->real.list, from) {
		struct mapping *at = vec__add(&to->list);

		assert_non_null(at);
		*at = *from;
		at->since = w->others_since;
		if (from->module != w->libc)
			continue;
		at->since = libc_since;
		if (replaced)
			at->module = &w->other;
	}
}

static void walk_record(struct world *w)
{
	assert_int_equal(walked__read(&w->result, &w->context, w->img, &w->rec.stack, sizeof(w->rec)), 0);
}

/* The frame with this index in the true stack is this, in the file that it was in then. */
static void assert_frame(struct world *w, unsigned int i)
{
	const struct frame *f = &w->result.frames[i];
	uint64_t pc = i ? moment.pcs[i - 1] : moment.regs[REG_PC];
	const struct mapping *at = mappings__find(&w->real, pc - (i > 0));

	assert_int_equal(f->pc, pc);
	assert_int_equal(f->is_return_address, i > 0);
	assert_ptr_equal(f->module, at->module);
	assert_int_equal(f->offset, pc - at->start + at->offset);
}

static void assert_frames(struct world *w, unsigned int n, unsigned int end)
{
	unsigned int i;

	assert_int_equal(w->result.n, n);
	assert_int_equal(w->result.end, end);
	for (i = 0; i < n; i++)
		assert_frame(w, i);
}

static void assert_whole(struct world *w)
{
	assert_true(w->result.finished);
	assert_frames(w, moment.n + 1, LT_END_WHOLE);
}

/* The next frame in libc, or the end; from this one on. */
static unsigned int next_in_libc(const struct world *w, unsigned int i)
{
	while (i <= moment.n && mappings__find(&w->real, moment.pcs[i - 1] - 1)->module != w->libc)
		i++;
	return i;
}

static bool is_in_libc(const struct world *w, unsigned int i)
{
	return next_in_libc(w, i) == i;
}

static void in_time(void **state)
{
	struct world *w = *state;

	read_as(w, &w->img->mappings, STALE + 5, false);
	w->img->epoch = STALE;
	walk_record(w);
	assert_whole(w);
	assert_true(next_in_libc(w, 1) < moment.n - 1);
}

/* The process still runs, and nobody has read its mappings since. */
static void read_when_it_is_needed(void **state)
{
	struct world *w = *state;

	w->img->mappings_stale = true;
	/* Without tables, nothing is ever unloaded: the epoch is 0. */
	w->rec.stale = 0;
	walk_record(w);
	assert_whole(w);
}

/* libc was replaced, but there is a reading from before that. */
static void by_the_earlier_reading(void **state)
{
	struct world *w = *state;

	read_as(w, &w->img->earlier, 0, false);
	read_as(w, &w->img->mappings, STALE + 2, true);
	w->img->earlier_epoch = STALE;
	w->img->epoch = STALE + 2;
	walk_record(w);
	assert_whole(w);
}

/* A later reading that comes less far says nothing about why that one ended. */
static void no_further_by_the_earlier_reading(void **state)
{
	struct world *w = *state;
	unsigned int found = 0;
	uint32_t near;

	read_as(w, &w->img->earlier, 0, false);
	read_as(w, &w->img->mappings, STALE + 2, true);
	w->img->earlier_epoch = STALE;
	w->img->epoch = STALE + 2;
	w->rec.n_far = 0;
	for (near = 0; near < LT_PARTIAL_NEAR && near < moment.size; near += 40) {
		w->rec.n_near = near;
		walk_record(w);
		if (w->result.n <= next_in_libc(w, 1) || w->result.end == LT_END_WHOLE)
			continue;
		assert_frames(w, w->result.n, LT_END_UNREADABLE);
		found++;
	}
	assert_true(found);
}

/* Only libraries that have been there all the time are named by a later reading. */
static void late(void **state)
{
	struct world *w = *state;

	read_as(w, &w->img->mappings, STALE, false);
	w->img->epoch = STALE + 2;
	walk_record(w);
	assert_whole(w);
}

static void late_and_replaced(void **state)
{
	struct world *w = *state;
	unsigned int i, cut = next_in_libc(w, 1), epoch;

	for (epoch = STALE + 1; epoch < STALE + 4; epoch++) {
		mappings__free(&w->img->mappings);
		read_as(w, &w->img->mappings, epoch, true);
		w->img->epoch = epoch;
		walk_record(w);
		assert_true(cut > 1);
		assert_frames(w, cut, LT_END_STALE);
	}
	/* Changes while it was read: of no time at all. */
	w->img->epoch = LT_NO_EPOCH;
	walk_record(w);
	assert_frames(w, cut, LT_END_STALE);
	for (i = 0; i < w->result.n; i++)
		assert_ptr_not_equal(w->result.frames[i].module, &w->other);
}

/* The counter goes round. */
static void late_by_a_counter_that_wraps(void **state)
{
	struct world *w = *state;

	w->rec.stale = UINT32_MAX - 1;
	w->others_since = UINT32_MAX - 7;
	read_as(w, &w->img->mappings, 1, true);
	w->img->epoch = 1;
	walk_record(w);
	assert_frames(w, next_in_libc(w, 1), LT_END_STALE);
}

/* What the kernel side says of the first n frames. */
static void seen_by_the_kernel(struct world *w, unsigned int n, enum lt_stack_end end)
{
	unsigned int i;

	w->rec.stack.n = (uint16_t)n;
	w->rec.stack.end = (uint8_t)end;
	for (i = 1; i < n; i++) {
		uint64_t pc = moment.pcs[i - 1], vaddr;
		const struct mapping *at = mappings__find(&w->real, pc - 1);
		const struct file_table *f = tables__get(w->context.tables, at->module);

		assert_int_equal(segments__address(&f->segments, pc - at->start + at->offset, &vaddr), 0);
		w->rec.stack.frames[i].pc = pc;
		w->rec.stack.frames[i].place = lt_place(f->number, (uint32_t)(vaddr - f->table.base));
	}
}

/* It is not known since when libc is there, but in some frames the kernel side has met it. */
static void late_but_seen(void **state)
{
	struct world *w = *state;
	unsigned int seen = next_in_libc(w, 1), cut;

	while (is_in_libc(w, seen))
		seen++;
	cut = next_in_libc(w, seen);
	assert_true(cut > seen && cut <= moment.n);
	read_as(w, &w->img->mappings, STALE + 2, false);
	w->img->epoch = STALE + 2;
	seen_by_the_kernel(w, seen, LT_END_NO_RULE);
	walk_record(w);
	assert_true(w->result.finished);
	assert_frames(w, cut, LT_END_STALE);
}

/* The kernel side met libc, and now another lies there: its word holds. */
static void seen_before_it_was_replaced(void **state)
{
	struct world *w = *state;
	unsigned int seen = next_in_libc(w, 1) + 1;

	read_as(w, &w->img->mappings, STALE + 2, true);
	w->img->epoch = STALE + 2;
	seen_by_the_kernel(w, seen, LT_END_NO_RULE);
	walk_record(w);
	assert_false(w->result.finished);
	assert_frames(w, seen, LT_END_STALE);
}

/* Nothing is known of the process any more: what the kernel side has found is not lost. */
static void without_any_mappings(void **state)
{
	struct world *w = *state;

	w->img->end = IMAGE_EXITED;
	walk_record(w);
	assert_int_equal(w->result.n, 2);
	assert_int_equal(w->result.frames[0].pc, moment.regs[REG_PC]);
	assert_int_equal(w->result.frames[1].pc, moment.pcs[0]);
	assert_null(w->result.frames[1].module);
	seen_by_the_kernel(w, 4, LT_END_UNMAPPED);
	walk_record(w);
	assert_int_equal(w->result.n, 4);
	assert_ptr_equal(w->result.frames[3].module, mappings__find(&w->real, moment.pcs[2] - 1)->module);
}

/* What the kernel side did not look up is named in a record that nobody has to finish. */
static void frames_without_a_place(void **state)
{
	struct world *w = *state;
	unsigned int i;

	read_as(w, &w->img->mappings, STALE + 2, false);
	w->img->epoch = STALE + 2;
	seen_by_the_kernel(w, 4, LT_END_NO_RULE);
	for (i = 1; i < 4; i++)
		w->rec.stack.frames[i].place = 0;
	w->rec.n_near = w->rec.n_far = 0;
	walk_record(w);
	assert_int_equal(w->result.n, 4);
	assert_false(w->result.finished);
	assert_non_null(w->result.frames[0].module);
	for (i = 1; i < 4; i++)
		assert_null(w->result.frames[i].module);
	w->rec.stack.type = LT_REC_STACK;
	walk_record(w);
	assert_frames(w, 4, LT_END_NO_RULE);
	assert_false(w->result.finished);
	/* The kernel side has looked, and found no file. */
	w->rec.stack.frames[2].place = LT_PLACE_PC | moment.pcs[1];
	walk_record(w);
	assert_null(w->result.frames[2].module);
	assert_non_null(w->result.frames[3].module);
}

/* A file number or a place in it that does not exist. */
static void places_that_are_none(void **state)
{
	struct world *w = *state;

	read_as(w, &w->img->mappings, 0, false);
	seen_by_the_kernel(w, 4, LT_END_WHOLE);
	w->rec.stack.type = LT_REC_STACK;
	w->rec.stack.frames[1].place = lt_place(0x7fffffff, 5);
	w->rec.stack.frames[2].place = lt_place(1, UINT32_MAX);
	walk_record(w);
	assert_int_equal(w->result.n, 4);
	assert_null(w->result.frames[1].module);
	assert_null(w->result.frames[2].module);
	assert_non_null(w->result.frames[3].module);
}

/* Lengths are the kernel side's, and are not believed. */
static void lengths(void **state)
{
	struct world *w = *state;
	size_t size;

	read_as(w, &w->img->mappings, 0, false);
	w->img->epoch = STALE;
	w->rec.n_near = w->rec.n_far = w->rec.n_replaced = UINT32_MAX;
	walk_record(w);
	assert_true(w->result.n > 1 && w->result.n <= LT_MAX_FRAMES);
	for (size = 0; size < sizeof(w->rec); size += 97)
		assert_int_equal(walked__read(&w->result, &w->context, w->img, &w->rec.stack, size), -EPROTO);
	w->rec.stack.n = LT_MAX_FRAMES + 1;
	assert_int_equal(walked__read(&w->result, &w->context, w->img, &w->rec.stack, sizeof(w->rec)), -EPROTO);
}

/* A part that ends in the middle of the stack, and the other one that begins where the walk was. */
static void in_two_parts(void **state)
{
	struct world *w = *state;
	uint32_t near;

	read_as(w, &w->img->mappings, 0, false);
	w->img->epoch = STALE;
	for (near = 0; near < LT_PARTIAL_NEAR && near < moment.size; near += 488) {
		w->rec.n_near = near;
		w->rec.far_sp = moment.regs[REG_SP] + near;
		w->rec.n_far = (uint32_t)(moment.size - near < LT_PARTIAL_FAR ? moment.size - near : LT_PARTIAL_FAR);
		memcpy(w->rec.far, moment.bytes + near, w->rec.n_far);
		walk_record(w);
		assert_whole(w);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(in_time),
		TEST(read_when_it_is_needed),
		TEST(by_the_earlier_reading),
		TEST(no_further_by_the_earlier_reading),
		TEST(late),
		TEST(late_and_replaced),
		TEST(late_by_a_counter_that_wraps),
		TEST(late_but_seen),
		TEST(seen_before_it_was_replaced),
		TEST(without_any_mappings),
		TEST(frames_without_a_place),
		TEST(places_that_are_none),
		TEST(lengths),
		TEST(in_two_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
