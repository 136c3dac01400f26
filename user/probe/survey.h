/* SPDX-License-Identifier: GPL-2.0-only */
/* survey: what a module has of allocators' functions, and which of its code belongs to an allocator itself. */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "probe/elf_image.h"
#include "probe/family.h"
#include "select/module.h"

/* Whose name a function with several goes by, the first of these that it has. */
enum found_by { FOUND_GIVEN, FOUND_COMMON, FOUND_CXX, FOUND_OWN };

struct found_fn {
	const struct family *family;
	enum found_by by;
	const struct family_fn *fn;
	char *name; /* of its symbol, where that is not fn->name; else NULL */
	uint64_t vaddr;
	uint64_t size; /* 0: where it ends is unknown */
	bool throws;   /* under one of its names */
};

struct survey {
	const struct module *module;
	bool is_glibc_so;	   /* glibc's shared library */
	bool is_whole;		   /* an allocator's own library, and nothing else */
	bool glibc_realloc;	   /* its libc is glibc, shared or static: realloc(p, 0) frees p */
	VEC(struct found_fn) fns;  /* one for each address; those that release first */
	VEC(struct lt_range) code; /* of inner functions, whose calls into these are the allocator's own */
};

/*
 * families: those that are looked for, ends with NULL. 0; -ENOENT: the module has none of them; a negative errno with a
 * sentence: it has, and its symbols make no sense. Free with survey__free() in every case.
 */
int survey__make(struct survey *s, struct elf_image *img, const struct module *m, const struct family *const *families,
		 struct err *e);
void survey__free(struct survey *s);
