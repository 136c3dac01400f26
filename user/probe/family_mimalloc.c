/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe/family_tables.h"

/*
 * mimalloc.h of versions 1.7 to 3. mi_heap_…() take the heap first, which is a pool.
 */
#define HEAP_ALLOC(fn, size, ...)	   FAMILY_POOL_FN(fn, LT_OP_ALLOC, size, LT_NO_ARG, LT_NO_ARG, 0, ##__VA_ARGS__)
#define HEAP_ALLOC_N(fn, count, size, ...) FAMILY_POOL_FN(fn, LT_OP_ALLOC, size, count, LT_NO_ARG, 0, ##__VA_ARGS__)
#define HEAP_REALLOC(fn, ...)		   FAMILY_POOL_FN(fn, LT_OP_REALLOC, 2, LT_NO_ARG, 1, 0, ##__VA_ARGS__)
#define HEAP_REALLOC_N(fn)		   FAMILY_POOL_FN(fn, LT_OP_REALLOC, 3, 2, 1, 0)
#define HEAP(fn, op)			   FAMILY_POOL_FN(fn, op, LT_NO_ARG, LT_NO_ARG, LT_NO_ARG, 0)

static const struct family_fn fns[] = {
	FREE("mi_free", 0),
	FREE("mi_cfree", 0),
	FREE("mi_free_size", 0),
	FREE("mi_free_size_aligned", 0),
	FREE("mi_free_aligned", 0),
	HEAP("mi_heap_destroy", LT_OP_RESET),
	HEAP("mi_heap_delete", LT_OP_DISSOLVE),
	REALLOC("mi_realloc", 0, 1),
	REALLOC("mi_reallocf", 0, 1, .failing_frees = true),
	REALLOC("mi_rezalloc", 0, 1),
	REALLOC("mi_realloc_aligned", 0, 1),
	REALLOC("mi_realloc_aligned_at", 0, 1),
	REALLOC("mi_rezalloc_aligned", 0, 1),
	REALLOC("mi_rezalloc_aligned_at", 0, 1),
	REALLOC_N("mi_reallocn", 0, 1, 2),
	REALLOC_N("mi_recalloc", 0, 1, 2),
	REALLOC_N("mi_recalloc_aligned", 0, 1, 2),
	REALLOC_N("mi_recalloc_aligned_at", 0, 1, 2),
	HEAP_REALLOC("mi_heap_realloc"),
	HEAP_REALLOC("mi_heap_reallocf", .failing_frees = true),
	HEAP_REALLOC("mi_heap_rezalloc"),
	HEAP_REALLOC("mi_heap_realloc_aligned"),
	HEAP_REALLOC("mi_heap_realloc_aligned_at"),
	HEAP_REALLOC("mi_heap_rezalloc_aligned"),
	HEAP_REALLOC("mi_heap_rezalloc_aligned_at"),
	HEAP_REALLOC_N("mi_heap_reallocn"),
	HEAP_REALLOC_N("mi_heap_recalloc"),
	HEAP_REALLOC_N("mi_heap_recalloc_aligned"),
	HEAP_REALLOC_N("mi_heap_recalloc_aligned_at"),
	REALLOC_N("mi_reallocarray", 0, 1, 2),
	REALLOC_N("mi_aligned_recalloc", 0, 1, 2),
	REALLOC_N("mi_aligned_offset_recalloc", 0, 1, 2),
	REALLOC("mi_new_realloc", 0, 1, THROWS),
	REALLOC_N("mi_new_reallocn", 0, 1, 2, THROWS),
	RESIZE("mi_expand", 0, 1),
	ALLOC("mi_malloc", 0),
	ALLOC("mi_malloc_small", 0),
	ALLOC("mi_zalloc", 0),
	ALLOC("mi_malloc_aligned", 0),
	ALLOC("mi_malloc_aligned_at", 0),
	ALLOC("mi_zalloc_aligned", 0),
	ALLOC("mi_zalloc_aligned_at", 0),
	ALLOC_N("mi_calloc", 0, 1),
	ALLOC_N("mi_mallocn", 0, 1),
	ALLOC_N("mi_calloc_aligned", 0, 1),
	ALLOC_N("mi_calloc_aligned_at", 0, 1),
	HEAP_ALLOC("mi_heap_malloc", 1),
	HEAP_ALLOC("mi_heap_malloc_small", 1),
	HEAP_ALLOC("mi_heap_zalloc", 1),
	HEAP_ALLOC("mi_heap_malloc_aligned", 1),
	HEAP_ALLOC("mi_heap_malloc_aligned_at", 1),
	HEAP_ALLOC("mi_heap_zalloc_aligned", 1),
	HEAP_ALLOC("mi_heap_zalloc_aligned_at", 1),
	HEAP_ALLOC_N("mi_heap_calloc", 1, 2),
	HEAP_ALLOC_N("mi_heap_mallocn", 1, 2),
	HEAP_ALLOC_N("mi_heap_calloc_aligned", 1, 2),
	HEAP_ALLOC_N("mi_heap_calloc_aligned_at", 1, 2),
	ALLOC("mi_zalloc_small", 0),
	RESULT_AT("mi_posix_memalign", 0, 2),
	ALLOC("mi_memalign", 1),
	ALLOC("mi_aligned_alloc", 1),
	ALLOC("mi_valloc", 0),
	ALLOC("mi_pvalloc", 0),
	ALLOC("mi_new", 0, THROWS),
	ALLOC("mi_new_aligned", 0, THROWS),
	ALLOC_N("mi_new_n", 0, 1, THROWS),
	HEAP_ALLOC("mi_heap_alloc_new", 1, THROWS),
	HEAP_ALLOC_N("mi_heap_alloc_new_n", 1, 2, THROWS),
	ALLOC("mi_new_nothrow", 0),
	ALLOC("mi_new_aligned_nothrow", 0),
};

static const char *const evident[] = {"mi_malloc", "_mi_malloc_generic", NULL};

/* Only mi_heap_…() itself is for programs, and is hooked. */
static const char *const own[] = {"_mi_", "mi_heap_", "mi_theap_", NULL};

const struct family family_mimalloc = {
	.name = "mimalloc",
	.fns = fns,
	.n = FAMILY_COUNT(fns),
	.evident = evident,
	.soname = "libmimalloc",
	.own = own,
};
