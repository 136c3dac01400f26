/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * symtab: the functions that the ELF symbol tables of a file name, by address.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "select/elf_file.h"
#include "symbolize/spans.h"

struct symtab {
	struct spans spans;
	VEC(struct elf_symbol) raw; /* while it is being built */
};

struct symtab_hit {
	const char *name; /* as in the file, mangled, maybe with a version; owned by the elf_file it came from */
	uint64_t start;
};

/*
 * Add the symbols of the tables of kind `type` (SHT_SYMTAB, SHT_DYNSYM) of f. `code` tells what is executable; f's
 * addresses are higher than code's by bias. Returns how many were added.
 */
size_t symtab__add(struct symtab *t, const struct elf_file *f, uint32_t type, const struct elf_file *code,
		   uint64_t bias);

/* After the last symtab__add(). Of symbols with the same address, keep the one that people call it by. */
void symtab__build(struct symtab *t);

bool symtab__find(const struct symtab *t, uint64_t addr, struct symtab_hit *hit);

void symtab__free(struct symtab *t);
