/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe/family_tables.h"

/*
 * malloc(3), posix_memalign(3); free_sized and free_aligned_sized are C23 (7.24.3). cfree was an alias of free in glibc
 * until 2.26, and stays for programs linked before.
 */
static const struct family_fn fns[] = {
	FREE("free", 0),
	FREE("cfree", 0),
	FREE("free_sized", 0),
	FREE("free_aligned_sized", 0),
	REALLOC("realloc", 0, 1),
	REALLOC_N("reallocarray", 0, 1, 2),
	ALLOC("malloc", 0),
	ALLOC_N("calloc", 0, 1),
	RESULT_AT("posix_memalign", 0, 2),
	ALLOC("aligned_alloc", 1),
	ALLOC("memalign", 1),
	ALLOC("valloc", 0),
	ALLOC("pvalloc", 0),
};

/* Only glibc's realloc(p, 0) frees, which survey.c knows. */
const struct family family_libc = {
	.name = "libc",
	.fns = fns,
	.n = FAMILY_COUNT(fns),
};

/* C23 leaves realloc(p, 0) undefined; those that return NULL free p, as glibc does. */
const struct family family_malloc = {
	.name = "malloc",
	.fns = fns,
	.n = FAMILY_COUNT(fns),
	.realloc_zero_frees = true,
};
