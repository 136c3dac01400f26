/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * family_tables: the functions of the allocators that are known, one table a family, and the words that the tables are
 * written in. For family.c and the tables.
 */
#pragma once

#include <stddef.h>

#include "probe/family.h"

extern const struct family family_libc, family_jemalloc, family_tcmalloc, family_mimalloc, family_cxx;

#define FAMILY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define FAMILY_FN(fn, what, size, count, ptr, ...)                                                                     \
	{                                                                                                              \
		.name = fn, .op = what, .size_arg = size, .count_arg = count, .ptr_arg = ptr, .pool_arg = LT_NO_ARG,   \
		##__VA_ARGS__                                                                                          \
	}

/* Numbers are those of arguments. RESULT_AT: the new block's address goes to where an argument points. */
#define FREE(fn, ptr, ...)		     FAMILY_FN(fn, LT_OP_FREE, LT_NO_ARG, LT_NO_ARG, ptr, ##__VA_ARGS__)
#define ALLOC(fn, size, ...)		     FAMILY_FN(fn, LT_OP_ALLOC, size, LT_NO_ARG, LT_NO_ARG, ##__VA_ARGS__)
#define ALLOC_N(fn, count, size, ...)	     FAMILY_FN(fn, LT_OP_ALLOC, size, count, LT_NO_ARG, ##__VA_ARGS__)
#define RESULT_AT(fn, ptr, size)	     FAMILY_FN(fn, LT_OP_ALLOC_PTR, size, LT_NO_ARG, ptr)
#define REALLOC(fn, ptr, size, ...)	     FAMILY_FN(fn, LT_OP_REALLOC, size, LT_NO_ARG, ptr, ##__VA_ARGS__)
#define REALLOC_N(fn, ptr, count, size, ...) FAMILY_FN(fn, LT_OP_REALLOC, size, count, ptr, ##__VA_ARGS__)
#define THROWS				     .throws = true

/* malloc(3), posix_memalign(3); free_sized and free_aligned_sized are C23 (7.24.3). */
#define C_RELEASES    FREE("free", 0), FREE("cfree", 0), FREE("free_sized", 0), FREE("free_aligned_sized", 0)
#define C_REALLOCATES REALLOC("realloc", 0, 1), REALLOC_N("reallocarray", 0, 1, 2)
#define C_ALLOCATES                                                                                                    \
	ALLOC("malloc", 0), ALLOC_N("calloc", 0, 1), RESULT_AT("posix_memalign", 0, 2), ALLOC("aligned_alloc", 1),     \
		ALLOC("memalign", 1), ALLOC("valloc", 0), ALLOC("pvalloc", 0)

/*
 * The forms of C++17 ([new.delete]), as the Itanium ABI mangles them. All but the nothrow ones throw std::bad_alloc,
 * or whatever the handler of std::set_new_handler() throws.
 */
#define CXX_RELEASES                                                                                                   \
	CXX_DELETE("_ZdlPv"), CXX_DELETE("_ZdlPvm"), CXX_DELETE("_ZdlPvRKSt9nothrow_t"),                               \
		CXX_DELETE("_ZdlPvSt11align_val_t"), CXX_DELETE("_ZdlPvmSt11align_val_t"),                             \
		CXX_DELETE("_ZdlPvSt11align_val_tRKSt9nothrow_t"), CXX_DELETE_ARRAY("_ZdaPv"),                         \
		CXX_DELETE_ARRAY("_ZdaPvm"), CXX_DELETE_ARRAY("_ZdaPvRKSt9nothrow_t"),                                 \
		CXX_DELETE_ARRAY("_ZdaPvSt11align_val_t"), CXX_DELETE_ARRAY("_ZdaPvmSt11align_val_t"),                 \
		CXX_DELETE_ARRAY("_ZdaPvSt11align_val_tRKSt9nothrow_t")
#define CXX_ALLOCATES                                                                                                  \
	CXX_NEW("_Znwm", THROWS), CXX_NEW("_ZnwmSt11align_val_t", THROWS), CXX_NEW("_ZnwmRKSt9nothrow_t"),             \
		CXX_NEW("_ZnwmSt11align_val_tRKSt9nothrow_t"), CXX_NEW_ARRAY("_Znam", THROWS),                         \
		CXX_NEW_ARRAY("_ZnamSt11align_val_t", THROWS), CXX_NEW_ARRAY("_ZnamRKSt9nothrow_t"),                   \
		CXX_NEW_ARRAY("_ZnamSt11align_val_tRKSt9nothrow_t")
#define CXX_DELETE(fn)	       FREE(fn, 0, .shown = "operator delete")
#define CXX_DELETE_ARRAY(fn)   FREE(fn, 0, .shown = "operator delete[]")
#define CXX_NEW(fn, ...)       ALLOC(fn, 0, .shown = "operator new", ##__VA_ARGS__)
#define CXX_NEW_ARRAY(fn, ...) ALLOC(fn, 0, .shown = "operator new[]", ##__VA_ARGS__)
