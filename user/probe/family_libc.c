/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe/family_tables.h"

/* cfree was an alias of free in glibc until 2.26, and stays for programs linked before. */
static const struct family_fn libc_fns[] = {
	C_RELEASES,
	C_REALLOCATES,
	C_ALLOCATES,
};

static const char *const libc_evident[] = {"malloc", NULL};

const struct family family_libc = {
	.name = "libc",
	.fns = libc_fns,
	.n = FAMILY_COUNT(libc_fns),
	.evident = libc_evident,
};

static const struct family_fn cxx_fns[] = {
	CXX_RELEASES,
	CXX_ALLOCATES,
};

static const char *const cxx_evident[] = {"_Znwm", NULL};

const struct family family_cxx = {
	.name = "c++",
	.fns = cxx_fns,
	.n = FAMILY_COUNT(cxx_fns),
	.evident = cxx_evident,
};
