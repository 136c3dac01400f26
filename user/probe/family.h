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
	bool failing_frees; /* a REALLOC that releases the block also when it fails */
	const char *shown;  /* what people call it; NULL: name */
	/* Not NULL: there is no symbol; it is at this address, as the symbols of a file of this name would number it.
	 */
	const char *module;
	uint64_t vaddr;
};

struct family {
	const char *name;
	/* Of functions at one address the first named here gives the name. */
	const struct family_fn *fns;
	unsigned int n;
	const char *const *evident; /* a module that defines one of these has the family; ends with NULL */
	/*
	 * All of the names may begin with something of the builder's choice, as in je_malloc. Then a module has the
	 * family that defines the first of the evident names, and with the same prefix the second or a function whose
	 * name goes on like evident_inner.
	 */
	bool has_prefix;
	const char *evident_inner;
	/* A library with a name that begins so is this allocator and nothing else; NULL: there is none. */
	const char *soname;
	/* What the names of its inner functions begin with, whose calls into it are its own; NULL: not needed. */
	const char *const *own;
	bool realloc_zero_frees; /* realloc(p, 0) frees p and returns NULL */
	bool given;		 /* described by the user: its names may be globs */
	bool some_suffice;	 /* and not all of them need be there */
};

/*
 * The functions of malloc(3), and C++'s new and delete. Every allocator may have them, under these very names; of
 * family_malloc are those of a module that nothing else is known of.
 */
extern const struct family family_libc, family_malloc, family_cxx;

extern const struct family family_jemalloc, family_tcmalloc, family_mimalloc;

/* "libc", "malloc", "jemalloc", "tcmalloc", "mimalloc", "c++"; NULL for another name. */
const struct family *family__named(const char *name);

/* The family's function of that name, or NULL. */
const struct family_fn *family__find(const struct family *f, const char *name);

/*
 * The place of what a function does in a table and at an attach, below FAMILY_ORDERS: those that release come first. A
 * block whose release was missed would look like a leak.
 */
#define FAMILY_ORDERS 3
unsigned int family__order(enum lt_op op);

/* Does it release all blocks of a pool at once, or do away with a pool? */
bool family_fn__ends_pool(const struct family_fn *fn);

/* Is what it hands out from a pool of this family's that another of its functions resets? */
bool family__has_pools(const struct family *f, const struct family_fn *fn);

/* May a block of it begin where one of another allocator does, as in a chunk that it has from there? */
bool family__has_layer(const struct family *f);

/* What people call a function. */
const char *family_fn__shown(const struct family_fn *fn);
