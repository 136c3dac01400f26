/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe/family_tables.h"

/*
 * jemalloc(3); its C++ part overrides new and delete (src/jemalloc_cpp.cpp). xallocx(), which changes a block in place,
 * is not hooked yet.
 */
static const struct family_fn jemalloc_fns[] = {
	C_RELEASES,    FREE("dallocx", 0),	 FREE("sdallocx", 0), FREE("sdallocx_noflags", 0), CXX_RELEASES,
	C_REALLOCATES, REALLOC("rallocx", 0, 1), C_ALLOCATES,	      ALLOC("mallocx", 0),	   ALLOC("smallocx", 0),
	CXX_ALLOCATES,
};

static const char *const jemalloc_evident[] = {"mallocx", "je_mallocx", NULL};

const struct family family_jemalloc = {
	.name = "jemalloc",
	.fns = jemalloc_fns,
	.n = FAMILY_COUNT(jemalloc_fns),
	.prefix = "je_",
	.evident = jemalloc_evident,
};
