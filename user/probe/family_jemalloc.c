/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe/family_tables.h"

/* jemalloc(3), beside malloc(3). Its C++ part overrides new and delete (src/jemalloc_cpp.cpp). */
static const struct family_fn fns[] = {
	FREE("dallocx", 0),	 FREE("sdallocx", 0), FREE("sdallocx_noflags", 0), REALLOC("rallocx", 0, 1),
	RESIZE("xallocx", 0, 1), ALLOC("mallocx", 0), ALLOC("smallocx", 0),
};

static const char *const evident[] = {"mallocx", "mallctl", NULL};

const struct family family_jemalloc = {
	.name = "jemalloc",
	.fns = fns,
	.n = FAMILY_COUNT(fns),
	.evident = evident,
	.has_prefix = true,
	.evident_inner = "je_arena_",
	.soname = "libjemalloc",
	.realloc_zero_frees = true,
};
