/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * untrusted_elf: libelf over a file that belongs to a target. It may be broken on purpose, sparse, and truncated at any
 * moment: it is read and not mapped (who truncates a mapped file kills its readers with SIGBUS), and what is read of it
 * is bounded.
 */
#pragma once

#include <gelf.h>
#include <libelf.h>
#include <stddef.h>

/* NULL when it is no ELF file, or one with more sections or segments than a linker makes. End with elf_end(). */
Elf *untrusted_elf__begin(int fd);

/* The first section of this name that has content; NULL when there is none. sh becomes its header. */
Elf_Scn *untrusted_elf__section(Elf *elf, const char *name, GElf_Shdr *sh);

/* Content of a section; NULL when it is empty, broken or unreasonably large. */
Elf_Data *untrusted_elf__data(Elf_Scn *scn, const GElf_Shdr *sh);

/*
 * The strings of a section. libelf looks for the end of each string backwards through the whole table, which is
 * quadratic where there is none; so this is checked once.
 */
struct elf_strings {
	const char *at; /* at[size - 1] is NUL; NULL: no usable strings */
	size_t size;
};

struct elf_strings untrusted_elf__strings(Elf *elf, size_t section);

/* Never NULL: an empty string for an offset that is none. */
const char *elf_strings__at(const struct elf_strings *s, size_t offset);
