/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * symbolizer: (module, file offset) → function, source line and inlined frames. Asked only for what is shown.
 *
 * Names come from libdw: the file's own symbol tables and DWARF, else a separate debug file found by build-id or
 * .gnu_debuglink, first in the target's root (module->root_fd) and then on this host, else its mini debuginfo. C++ and
 * Rust names are demangled. ELF files of a target are hostile input: a broken one yields no name, never a crash or an
 * endless loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct module;
struct symbolizer;

/* One line of a call stack. Strings are owned by the symbolizer, terminal-safe, valid until symbolizer__free(). */
struct symbol {
	const char *name;  /* demangled; NULL unknown */
	uint64_t offset;   /* of the instruction from the start of the function; 0 for inlined frames */
	const char *file;  /* source file as DWARF has it (its directory joined); NULL unknown */
	unsigned int line; /* 0 unknown */
	bool inlined;	   /* this function was inlined into the next entry of the same list */
};

struct symbols {
	const struct symbol
		*at; /* innermost (the deepest inlined function) first; at least one entry, maybe without name */
	unsigned int n;
};

/* Returns NULL when out of memory. */
struct symbolizer *symbolizer__new(void);
void symbolizer__free(struct symbolizer *s);

/*
 * The names of the instruction at file offset `offset` of module m. For a return address pass the address minus one, so
 * that the call and not the instruction after it is named. Results are cached by (m, offset). m must stay alive and at
 * the same address until symbolizer__free(). Never fails: what is unknown is NULL or 0.
 */
struct symbols symbolizer__lookup(struct symbolizer *s, const struct module *m, uint64_t offset);
