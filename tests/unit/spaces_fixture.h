/* SPDX-License-Identifier: GPL-2.0-only */
/* spaces_fixture: spaces in real maps, with this program as a file. As root only: tests are skipped else. */
#pragma once

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

static inline void *map_array(struct bpf_map *map, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	assert_true(at != MAP_FAILED);
	return at;
}

static inline int set_up_with(void **state, uint32_t rows)
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

static inline int set_up(void **state)
{
	return set_up_with(state, ROWS);
}

/* Room for this program, and not for another. */
static inline int set_up_narrow(void **state)
{
	struct module self = {.path = (char *)"self", .fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
	struct tables *t = tables__new();
	uint32_t rows = (uint32_t)tables__get(t, &self)->table.rows.n;

	tables__free(t);
	close(self.fd);
	return set_up_with(state, rows + rows / 2);
}

static inline int tear_down(void **state)
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

static inline void need_maps(void)
{
	if (why_not) {
		print_message("skipped: %s\n", why_not);
		skip();
	}
}

static inline struct mapping at(uint64_t start, uint64_t end, uint64_t offset, struct module *m)
{
	return (struct mapping){.start = start, .end = end, .offset = offset, .module = m};
}

/* As the collector does it. */
static inline int publish(struct world *w, uint32_t space, struct mapping *list, size_t n)
{
	const struct mappings m = {.list = {.at = list, .n = n, .cap = n}};

	return spaces__publish(w->spaces, space, &m, spaces__stale(w->spaces, space));
}

static inline bool is_trusted(const struct lt_space *s)
{
	return s->fresh == s->stale;
}

static inline void assert_mapping(const struct lt_mapping *m, uint64_t start, enum lt_mapping_kind kind)
{
	assert_int_equal(m->start, start);
	assert_int_equal(m->kind, kind);
}

/* What the kernel side knows of a file by its inode. */
static inline int known(const struct world *w, const struct module *m, struct lt_file *f)
{
	struct lt_file_key key = {.inode = m->map_ino, .device = (uint64_t)major(m->map_dev) << 20 | minor(m->map_dev)};

	return bpf_map_lookup_elem(bpf_map__fd(w->bpf->maps.files), &key, f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
