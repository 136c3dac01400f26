/* SPDX-License-Identifier: GPL-2.0-only */
/* One unwind table for each file and its copies, and the way back from a place to the file. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "select/module.h"
#include "unwind/tables.h"

static struct module module_of(int fd, unsigned char id, size_t id_len)
{
	struct module m = {.path = (char *)"file", .fd = fd, .root_fd = -1, .build_id_len = id_len};

	assert_true(fd >= 0);
	memset(m.build_id, id, id_len);
	return m;
}

static int open_self(void)
{
	return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}

/* This program, and `more` bytes behind it. */
static int copy_of_self(size_t more)
{
	int from = open_self(), to = memfd_create("copy", MFD_CLOEXEC);
	static const char zeros[8];
	char buf[1 << 16];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		assert_int_equal(write(to, buf, (size_t)n), n);
	assert_int_equal(n, 0);
	assert_int_equal(write(to, zeros, more), more);
	close(from);
	return to;
}

static void copies_share_a_table(void **state)
{
	struct module m = module_of(open_self(), 1, 20), copy = module_of(copy_of_self(0), 1, 20);
	struct tables *t = tables__new();
	struct file_table *f = tables__get(t, &m);
	uint64_t rows = tables__rows(t), offset;

	(void)state;
	assert_non_null(f);
	assert_int_equal(f->err, 0);
	assert_int_equal(f->number, 1);
	assert_true(f->first < 0);
	assert_true(rows > 0);
	assert_ptr_equal(tables__get(t, &m), f);
	assert_ptr_equal(tables__get(t, &copy), f);
	assert_int_equal(tables__rows(t), rows);
	/* Shown as the one that was there first. */
	assert_ptr_equal(tables__representative(t, &copy), &m);
	assert_ptr_equal(tables__representative(t, &m), &m);
	assert_ptr_equal(tables__module(t, 1, (uint32_t)(f->segments.list.at[0].vaddr - f->table.base), &offset), &m);
	tables__free(t);
	close(m.fd);
	close(copy.fd);
}

/* A build-id is what the target says it is: with another size it is another file. */
static void others_do_not(void **state)
{
	struct module m = module_of(open_self(), 1, 20), longer = module_of(copy_of_self(1), 1, 20),
		      other_id = module_of(open_self(), 2, 20), shorter_id = module_of(open_self(), 1, 8),
		      no_id = module_of(open_self(), 0, 0), no_id_either = module_of(open_self(), 0, 0),
		      *all[] = {&m, &longer, &other_id, &shorter_id, &no_id, &no_id_either};
	struct tables *t = tables__new();
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++)
		assert_int_equal(tables__get(t, all[i])->number, i + 1);
	for (i = 0; i < 6; i++)
		assert_ptr_equal(tables__representative(t, all[i]), all[i]);
	tables__free(t);
	for (i = 0; i < 6; i++)
		close(all[i]->fd);
}

/* Each place that a walk can find in the file leads back to its offset. */
static void from_places_to_offsets(void **state)
{
	struct module m = module_of(open_self(), 1, 20);
	struct tables *t = tables__new();
	const struct file_table *f = tables__get(t, &m);
	const struct segment *s;
	uint64_t offset, vaddr, got, n = 0;

	(void)state;
	vec__each (&f->segments.list, s) {
		for (offset = s->offset; offset < s->offset + s->size; offset += 1 + s->size / 5000) {
			assert_int_equal(segments__address(&f->segments, offset, &vaddr), 0);
			assert_true(vaddr >= f->table.base && vaddr - f->table.base <= UINT32_MAX);
			assert_ptr_equal(tables__module(t, f->number, (uint32_t)(vaddr - f->table.base), &got), &m);
			assert_int_equal(got, offset);
			n++;
		}
	}
	assert_true(n > 1000);
	tables__free(t);
	close(m.fd);
}

static void places_that_are_none(void **state)
{
	struct module m = module_of(open_self(), 1, 20);
	struct tables *t = tables__new();
	uint64_t offset;

	(void)state;
	assert_null(tables__module(t, 0, 0, &offset));
	assert_null(tables__module(t, 1, 0, &offset));
	assert_ptr_equal(tables__representative(t, &m), &m);
	tables__get(t, &m);
	assert_null(tables__module(t, 0, 0, &offset));
	assert_null(tables__module(t, 2, 0, &offset));
	assert_null(tables__module(t, UINT32_MAX, 0, &offset));
	assert_null(tables__module(t, 1, UINT32_MAX, &offset));
	tables__free(t);
	close(m.fd);
}

/* No ELF file, or one that could not be opened: a file nevertheless, whose places are its offsets. */
static void files_without_a_table(void **state)
{
	struct module text = module_of(memfd_create("text", MFD_CLOEXEC), 0, 0),
		      unopened = {.path = (char *)"gone", .fd = -1, .root_fd = -1, .open_error = -ENOENT};
	struct tables *t = tables__new();
	uint64_t offset;

	(void)state;
	assert_int_equal(write(text.fd, "#!/bin/sh\n", 10), 10);
	assert_true(tables__get(t, &text)->err < 0);
	assert_int_equal(tables__get(t, &unopened)->err, -ENOENT);
	assert_ptr_equal(tables__module(t, 1, 0x1234, &offset), &text);
	assert_int_equal(offset, 0x1234);
	assert_ptr_equal(tables__module(t, 2, 0, &offset), &unopened);
	assert_int_equal(tables__rows(t), 0);
	tables__free(t);
	tables__free(NULL);
	close(text.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_share_a_table),	  cmocka_unit_test(others_do_not),
		cmocka_unit_test(from_places_to_offsets), cmocka_unit_test(places_that_are_none),
		cmocka_unit_test(files_without_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
