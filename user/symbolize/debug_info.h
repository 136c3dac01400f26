/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * debug_info: what the DWARF of a file says about an address: the function, the source line and what was inlined there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "select/debug_file.h"

struct module;
struct debug_info;

/* Strings are libdw's, valid until debug_info__close(), and not safe to print. */
struct source_frame {
	const char *name; /* linkage name if there is one; NULL unknown */
	const char *dir;  /* what `file` is relative to; NULL when it is not, or unknown */
	const char *file; /* NULL unknown */
	unsigned int line;
	uint64_t entry; /* address of the function's first instruction; 0 unknown. Only in the outermost frame */
};

struct debug_info_source {
	const struct module *module;
	const struct elf_file *main; /* the file that runs */
	const struct elf_file *elf;  /* the one with the DWARF, maybe the same */
	int fd, root_fd;	     /* of elf; root_fd as in struct debug_file */
	struct debuginfod *server;   /* may be NULL */
	uint64_t *memory;	     /* bytes that may still be spent on DWARF, over all files */
};

/* NULL: there is none that can be used. The files stay the caller's and must stay open. */
struct debug_info *debug_info__open(const struct debug_info_source *from);

/*
 * Frames of the instruction at this address (as linked in the main file), innermost first. The last one is the function
 * that the code belongs to; those before it were inlined. 0: nothing is known about the address.
 */
unsigned int debug_info__frames(struct debug_info *d, uint64_t addr, struct source_frame *out, unsigned int max);

void debug_info__close(struct debug_info *d);
