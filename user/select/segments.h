/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * segments: where the executable parts of a file lie in it, and at which addresses it was linked to have them. There
 * may be several (BOLT, split text); their addresses need not differ from their offsets by one number.
 */
#pragma once

#include <stdint.h>

#include "base/vec.h"

struct module;

struct segment {
	uint64_t offset, size; /* in the file */
	uint64_t vaddr;
};

struct segments {
	VEC(struct segment) list; /* executable PT_LOAD ones, as the file orders them */
};

/* The page in the file that a mapping of it begins with. */
uint64_t segment__start(const struct segment *s);

/* -ENOEXEC: no 64-bit ELF file; -ENOENT: nothing executable in it; the module's open_error; -ENOMEM. */
int segments__read(struct segments *s, const struct module *m);
void segments__free(struct segments *s);

/*
 * The address that the file's byte `offset` is linked at. A mapping begins at a page and so may begin before its
 * segment: such an address is extrapolated. -ENOENT: it belongs to none.
 */
int segments__address(const struct segments *s, uint64_t offset, uint64_t *vaddr);

/* The other way round. */
int segments__offset(const struct segments *s, uint64_t vaddr, uint64_t *offset);
