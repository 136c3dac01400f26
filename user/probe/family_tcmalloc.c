/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe/family_tables.h"

/*
 * gperftools/tcmalloc.h; malloc and its kin, new and delete are aliases of these. Google's own has the standard names
 * only, and TCMallocInternalMalloc and the like for the same functions.
 */
static const struct family_fn fns[] = {
	FREE("tc_free", 0),
	FREE("tc_free_sized", 0),
	FREE("tc_cfree", 0),
	FREE("tc_delete", 0),
	FREE("tc_delete_sized", 0),
	FREE("tc_delete_nothrow", 0),
	FREE("tc_delete_aligned", 0),
	FREE("tc_delete_sized_aligned", 0),
	FREE("tc_delete_aligned_nothrow", 0),
	FREE("tc_deletearray", 0),
	FREE("tc_deletearray_sized", 0),
	FREE("tc_deletearray_nothrow", 0),
	FREE("tc_deletearray_aligned", 0),
	FREE("tc_deletearray_sized_aligned", 0),
	FREE("tc_deletearray_aligned_nothrow", 0),
	REALLOC("tc_realloc", 0, 1),
	ALLOC("tc_malloc", 0),
	ALLOC("tc_malloc_skip_new_handler", 0),
	ALLOC_N("tc_calloc", 0, 1),
	RESULT_AT("tc_posix_memalign", 0, 2),
	ALLOC("tc_memalign", 1),
	ALLOC("tc_valloc", 0),
	ALLOC("tc_pvalloc", 0),
	ALLOC("tc_new", 0, THROWS),
	ALLOC("tc_new_nothrow", 0),
	ALLOC("tc_new_aligned", 0, THROWS),
	ALLOC("tc_new_aligned_nothrow", 0),
	ALLOC("tc_newarray", 0, THROWS),
	ALLOC("tc_newarray_nothrow", 0),
	ALLOC("tc_newarray_aligned", 0, THROWS),
	ALLOC("tc_newarray_aligned_nothrow", 0),
};

static const char *const evident[] = {"tc_malloc", "TCMallocInternalMalloc", NULL};

const struct family family_tcmalloc = {
	.name = "tcmalloc",
	.fns = fns,
	.n = FAMILY_COUNT(fns),
	.evident = evident,
	.soname = "libtcmalloc",
	.realloc_zero_frees = true,
};
