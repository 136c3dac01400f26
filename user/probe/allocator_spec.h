/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * allocator_spec: allocators that the user describes, as families. One spec is
 *
 *	NAME: alloc=FN(size=ARG) calloc=FN(count=ARG,size=ARG) realloc=FN(ptr=ARG,size=ARG) free=FN(ptr=ARG)
 *	      alloc_at=FN(result=ARG,size=ARG) reset=FN
 *
 * in words of any number and order; leaktrace(8) has it whole. What is wrong with one is said in a sentence, with the
 * place in the text: those who write a spec have nothing else to find it by.
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "probe/family.h"

#define ALLOCATOR_SPECS_MAX 32	 /* families */
#define ALLOCATOR_FNS_MAX   64	 /* functions of one */
#define ALLOCATOR_SPEC_SIZE 4096 /* bytes of one */

/* Starts zeroed. The families live until allocator_specs__free(). */
struct allocator_specs {
	VEC(struct family *) list; /* in each those that release come first, then those that reallocate */
	VEC(char *) strings;	   /* their names */
};

/*
 * A spec; or by "@FILE" those of a file, one a line, with comments behind #. -EINVAL for what is wrong in them, or why
 * the file cannot be read; then some of its specs may have been added.
 */
int allocator_specs__add(struct allocator_specs *s, const char *text, struct err *e);

/* The functions of malloc(3) with this prefix to their names. */
int allocator_specs__add_prefix(struct allocator_specs *s, const char *prefix, struct err *e);

void allocator_specs__free(struct allocator_specs *s);
