/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * family_tables: the functions of the allocators that are known, one table a family, and the words that the tables are
 * written in. For family.c and the tables.
 */
#pragma once

#include <stddef.h>

#include "probe/family.h"

#define FAMILY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define FAMILY_FN(fn, what, size, count, ptr, ...) FAMILY_POOL_FN(fn, what, size, count, ptr, LT_NO_ARG, ##__VA_ARGS__)

#define FAMILY_POOL_FN(fn, what, size, count, ptr, pool, ...)                                                          \
	{                                                                                                              \
		.name = fn, .op = what, .size_arg = size, .count_arg = count, .ptr_arg = ptr, .pool_arg = pool,        \
		##__VA_ARGS__                                                                                          \
	}

/* Numbers are those of arguments. RESULT_AT: the new block's address goes to where an argument points. */
#define FREE(fn, ptr, ...)	      FAMILY_FN(fn, LT_OP_FREE, LT_NO_ARG, LT_NO_ARG, ptr, ##__VA_ARGS__)
#define ALLOC(fn, size, ...)	      FAMILY_FN(fn, LT_OP_ALLOC, size, LT_NO_ARG, LT_NO_ARG, ##__VA_ARGS__)
#define ALLOC_N(fn, count, size, ...) FAMILY_FN(fn, LT_OP_ALLOC, size, count, LT_NO_ARG, ##__VA_ARGS__)
/* It keeps its place; xallocx(3) tells which size it has then, mi_expand() its address. */
#define RESIZE(fn, ptr, size)		     FAMILY_FN(fn, LT_OP_RESIZE, size, LT_NO_ARG, ptr)
#define RESULT_AT(fn, ptr, size)	     FAMILY_FN(fn, LT_OP_ALLOC_PTR, size, LT_NO_ARG, ptr)
#define REALLOC(fn, ptr, size, ...)	     FAMILY_FN(fn, LT_OP_REALLOC, size, LT_NO_ARG, ptr, ##__VA_ARGS__)
#define REALLOC_N(fn, ptr, count, size, ...) FAMILY_FN(fn, LT_OP_REALLOC, size, count, ptr, ##__VA_ARGS__)
#define THROWS				     .throws = true
