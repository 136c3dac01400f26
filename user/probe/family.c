/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "probe/family.h"

#define NO LT_NO_ARG

/*
 * malloc(3), posix_memalign(3); free_sized and free_aligned_sized are C23 (7.24.3). cfree was glibc's alias of free
 * until 2.26, and stays for programs linked before. Of functions at one address the first named here gives the name.
 */
static const struct family_fn libc_fns[] = {
	{"free", LT_OP_FREE, NO, NO, 0},
	{"cfree", LT_OP_FREE, NO, NO, 0},
	{"free_sized", LT_OP_FREE, NO, NO, 0},
	{"free_aligned_sized", LT_OP_FREE, NO, NO, 0},
	{"realloc", LT_OP_REALLOC, 1, NO, 0},
	{"reallocarray", LT_OP_REALLOC, 2, 1, 0},
	{"malloc", LT_OP_ALLOC, 0, NO, NO},
	{"calloc", LT_OP_ALLOC, 1, 0, NO},
	{"posix_memalign", LT_OP_ALLOC_PTR, 2, NO, 0},
	{"aligned_alloc", LT_OP_ALLOC, 1, NO, NO},
	{"memalign", LT_OP_ALLOC, 1, NO, NO},
	{"valloc", LT_OP_ALLOC, 0, NO, NO},
	{"pvalloc", LT_OP_ALLOC, 0, NO, NO},
};

static const struct family libc_family = {"libc", libc_fns, sizeof(libc_fns) / sizeof(libc_fns[0])};

const struct family *family__libc(void)
{
	return &libc_family;
}

const struct family_fn *family__find(const struct family *f, const char *name)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (!strcmp(f->fns[i].name, name))
			return &f->fns[i];
	}
	return NULL;
}
