/* SPDX-License-Identifier: GPL-2.0-only */
/* survey: what a module has of a family's functions, and which of its code belongs to the allocator itself. */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "probe/elf_image.h"
#include "probe/family.h"
#include "select/module.h"

struct found_fn {
	const struct family_fn *fn;
	uint64_t vaddr;
	uint64_t size; /* 0: where it ends is unknown */
};

struct survey {
	const struct family *family;
	const struct module *module;
	bool is_glibc_so;	   /* glibc's shared library */
	bool realloc_zero_frees;   /* realloc(p, 0) frees p: glibc, shared or static */
	VEC(struct found_fn) fns;  /* one for each address, in the family's order */
	VEC(struct lt_range) code; /* of functions whose calls into these are the allocator's own */
};

/*
 * 0; -ENOENT: the module has nothing of this family; -ENOTSUP with a sentence: it has, and must not be hooked. Free
 * with survey__free() in every case.
 */
int survey__make(struct survey *s, struct elf_image *img, const struct module *m, const struct family *f,
		 struct err *e);
void survey__free(struct survey *s);
