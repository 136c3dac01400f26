/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe/family_tables.h"

/*
 * The forms of C++17 ([new.delete]), as the Itanium ABI mangles them. All but the nothrow ones throw std::bad_alloc,
 * or whatever the handler of std::set_new_handler() throws.
 */
#define DELETE(fn)	   FREE(fn, 0, .shown = "operator delete")
#define DELETE_ARRAY(fn)   FREE(fn, 0, .shown = "operator delete[]")
#define NEW(fn, ...)	   ALLOC(fn, 0, .shown = "operator new", ##__VA_ARGS__)
#define NEW_ARRAY(fn, ...) ALLOC(fn, 0, .shown = "operator new[]", ##__VA_ARGS__)

static const struct family_fn fns[] = {
	DELETE("_ZdlPv"),
	DELETE("_ZdlPvm"),
	DELETE("_ZdlPvRKSt9nothrow_t"),
	DELETE("_ZdlPvSt11align_val_t"),
	DELETE("_ZdlPvmSt11align_val_t"),
	DELETE("_ZdlPvSt11align_val_tRKSt9nothrow_t"),
	DELETE_ARRAY("_ZdaPv"),
	DELETE_ARRAY("_ZdaPvm"),
	DELETE_ARRAY("_ZdaPvRKSt9nothrow_t"),
	DELETE_ARRAY("_ZdaPvSt11align_val_t"),
	DELETE_ARRAY("_ZdaPvmSt11align_val_t"),
	DELETE_ARRAY("_ZdaPvSt11align_val_tRKSt9nothrow_t"),
	/* tcmalloc's, where the caller says how much a block will be used (tcmalloc/new_extension.h). */
	NEW("_Znwm12__hot_cold_t", THROWS),
	NEW("_ZnwmRKSt9nothrow_t12__hot_cold_t"),
	NEW("_ZnwmSt11align_val_t12__hot_cold_t", THROWS),
	NEW("_ZnwmSt11align_val_tRKSt9nothrow_t12__hot_cold_t"),
	NEW_ARRAY("_Znam12__hot_cold_t", THROWS),
	NEW_ARRAY("_ZnamRKSt9nothrow_t12__hot_cold_t"),
	NEW_ARRAY("_ZnamSt11align_val_t12__hot_cold_t", THROWS),
	NEW_ARRAY("_ZnamSt11align_val_tRKSt9nothrow_t12__hot_cold_t"),
	NEW("_Znwm", THROWS),
	NEW("_ZnwmSt11align_val_t", THROWS),
	NEW("_ZnwmRKSt9nothrow_t"),
	NEW("_ZnwmSt11align_val_tRKSt9nothrow_t"),
	NEW_ARRAY("_Znam", THROWS),
	NEW_ARRAY("_ZnamSt11align_val_t", THROWS),
	NEW_ARRAY("_ZnamRKSt9nothrow_t"),
	NEW_ARRAY("_ZnamSt11align_val_tRKSt9nothrow_t"),
};

const struct family family_cxx = {
	.name = "c++",
	.fns = fns,
	.n = FAMILY_COUNT(fns),
};
