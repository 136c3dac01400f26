/* SPDX-License-Identifier: GPL-2.0-only */
/* elf_image_private: what an open image consists of. Private to elf_image.c and elf_names.c. */
#pragma once

#include "abi.h"
#include "base/vec.h"
#include "probe/elf_image.h"
#include "select/untrusted_elf.h"

#define ELF_CHUNK      65536
#define ELF_BRANCH_MAX 6 /* bytes of the longest branch */

/* A place that the loader fills with the address of a symbol. */
struct elf_slot {
	uint64_t vaddr;
	const char *name;
};

/* Other files with names of the same code. */
struct elf_names {
	Elf *elf;
	int fd;
};

struct elf_image {
	const struct module *module;
	Elf *elf;
	int fd; /* the module's */
	size_t n_phdrs;
	bool looked_for_names, looked_for_slots, looked_for_pieces;
	const unsigned char *index; /* of pieces of code; NULL: there is none */
	uint64_t index_vaddr;
	size_t n_index;
	VEC(struct lt_range) fdes; /* where there is no index of them; by address */
	VEC(struct elf_names) more;
	VEC(struct elf_slot) slots;			 /* by address */
	unsigned char chunk[ELF_CHUNK + ELF_BRANCH_MAX]; /* and where the last one ends */
};

/* The executable segment that vaddr lies in. False: none. */
bool elf_image__code_segment(struct elf_image *img, uint64_t vaddr, GElf_Phdr *ph);

/* Close what elf_names.c has opened. */
void elf_names__close(struct elf_image *img);
