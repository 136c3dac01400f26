/* SPDX-License-Identifier: GPL-2.0-only */
/* family: the allocator functions that belong together, by name, with what their arguments mean. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"

#define LT_NO_ARG 0xff

struct family_fn {
	const char *name; /* of its symbol; where the user has given it, it may be a glob (fnmatch(3)) */
	enum lt_op op;
	uint8_t size_arg, count_arg, ptr_arg; /* argument numbers from 0, or LT_NO_ARG */
	uint8_t pool_arg; /* the pool that it allocates from, or resets; LT_NO_ARG: there is one only */
	/* An exception may leave it. A return probe on such a function ends the process: the unwinder finds the
	 * kernel's trampoline in place of the caller, and std::terminate() is called. */
	bool throws;
	const char *shown; /* what people call it; NULL: name */
	/* Not NULL: there is no symbol; it is at this address, as the symbols of a file of this name would number it.
	 */
	const char *module;
	uint64_t vaddr;
};

struct family {
	const char *name;
	/* Of functions at one address the first named here gives the name; those that release come first. */
	const struct family_fn *fns;
	unsigned int n;
	const char *prefix;	    /* that all names may have, too; NULL: none */
	const char *const *evident; /* a module that defines one of these has the family; ends with NULL */
};

/* glibc and musl. */
const struct family *family__libc(void);

/* "libc", "jemalloc", "tcmalloc", "mimalloc", "c++"; NULL for another name. */
const struct family *family__named(const char *name);

/* The family's function of that name, or NULL. */
const struct family_fn *family__find(const struct family *f, const char *name);

/* What people call a function. */
const char *family_fn__shown(const struct family_fn *fn);
