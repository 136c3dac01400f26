/* SPDX-License-Identifier: GPL-2.0-only */
/* signs: by what a module shows which allocators are in it, and whose the functions with the names of malloc(3) are. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/elf_image.h"
#include "probe/family.h"
#include "select/module.h"

#define SIGNS_PREFIXES 8 /* of one family in one module */

/* What the names of a family's functions begin with. */
struct sign_prefix {
	char text[32];
	unsigned int seen; /* what shows that they are an allocator's */
};

/* Which of the known allocators' own functions are there. */
struct sign {
	const struct family *family;
	bool present;
	struct sign_prefix prefixes[SIGNS_PREFIXES]; /* "" is one, too */
	unsigned int n_prefixes;
};

enum { SIGN_JEMALLOC, SIGN_TCMALLOC, SIGN_MIMALLOC, N_SIGNS };

struct signs {
	struct sign of[N_SIGNS];
	const struct family
		*owner; /* of malloc and its kin in this module; NULL: they are not there, or not for programs */
	bool is_glibc_so, is_glibc;
	const struct family *whole; /* the module is this allocator's library and nothing else; NULL: no */
};

/* 0, or what elf_image__each_function() made of the symbols: a negative errno. */
int signs__read(struct signs *s, struct elf_image *img, const struct module *m);
