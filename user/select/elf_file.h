/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * elf_file: one ELF file opened for reading names: its segments, sections and the checks that hostile input needs.
 */
#pragma once

#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"

struct elf_segment {
	uint64_t offset, filesz, vaddr, memsz;
	bool code;
};

struct elf_file {
	Elf *elf;
	bool mapped;	   /* sections are mapped, not read */
	uint64_t base;	   /* address of the first loadable segment, aligned down */
	const char *names; /* section names; names[names_size - 1] is NUL; NULL: no usable sections */
	size_t names_size;
	VEC(struct elf_segment) segments;
};

/* fd stays the caller's and must stay open. -EBADF, -EINVAL (not a usable ELF file), -EFBIG, -ENOMEM. */
int elf_file__open(struct elf_file *f, int fd, bool may_map);
void elf_file__close(struct elf_file *f);

/* The address at which the file's byte `offset` is linked. False: no segment holds it. */
bool elf_file__address(const struct elf_file *f, uint64_t offset, uint64_t *vaddr);

/* Whether addr lies in an executable segment. */
bool elf_file__is_code(const struct elf_file *f, uint64_t addr);

/* Never NULL. */
const char *elf_file__section_name(const struct elf_file *f, const GElf_Shdr *shdr);

/* Content of a section; NULL when it is empty, broken or unreasonably large. */
const Elf_Data *elf_file__data(Elf_Scn *scn, const GElf_Shdr *shdr);

/* True when the file has the sections that functions and lines are found by. */
bool elf_file__has_dwarf(const struct elf_file *f);

/*
 * Whether every table of debug strings ends with NUL; libdw (0.188) reads beyond the end of those of line tables
 * otherwise. To be asked after dwarf_begin_elf(), which decompresses the tables.
 */
bool elf_file__strings_end(const struct elf_file *f);

/* Memory that libdw is going to use for the debug sections of this file. */
uint64_t elf_file__dwarf_memory(const struct elf_file *f);
