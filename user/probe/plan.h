/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan: which functions of a module are probed, where, and which calls are the allocator's own.
 *
 * For now a function is probed at its first instruction.
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "probe/family.h"
#include "select/module.h"

struct planned_fn {
	const struct family_fn *fn;
	uint64_t vaddr, size; /* of the function, as the module numbers addresses */
	uint64_t offset;      /* of the probed instruction in the file */
};

struct plan {
	const struct module *module;
	const struct family *family;
	bool is_glibc_so;	    /* glibc's shared library */
	bool realloc_zero_frees;    /* realloc(p, 0) frees p: glibc, shared or static */
	VEC(struct planned_fn) fns; /* those that release first: they are attached first */
	struct lt_module internal;  /* return addresses of calls that the allocator makes itself */
};

/*
 * Plan the probes of a module. 0; -ENOENT: it has no allocator; otherwise it has one that cannot be hooked, and the
 * sentence says why. Free with plan__free() in every case.
 */
int plan__make(struct plan *p, const struct module *m, struct err *e);
void plan__free(struct plan *p);
