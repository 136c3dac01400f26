/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * debug_file: the separate file that holds the symbols and DWARF of a stripped one.
 *
 * Looked for by build-id and by .gnu_debuglink, first in the target's root, then on this host, then (only when the user
 * has set DEBUGINFOD_URLS) on a debuginfod server. What is found must have the same build-id or checksum.
 */
#pragma once

#include <stddef.h>

#include "select/elf_file.h"

struct debuginfod;
struct module;

struct debug_file {
	struct elf_file elf;
	int fd;	     /* -1: not open */
	int root_fd; /* the root it was found under; -1 this host's */
};

/* server: may be NULL. -ENOENT when there is none. */
int debug_file__open(struct debug_file *d, const struct module *m, const struct elf_file *main,
		     struct debuginfod *server);

/* What a .gnu_debugaltlink says. */
struct alt_link {
	const char *name;
	const void *build_id;
	size_t build_id_len;
};

/*
 * The file that dwz moved shared DWARF of `from` to, by the link in it. root_fd: where `from` was found, as in struct
 * debug_file; from_fd: its descriptor.
 */
int debug_file__open_alt(struct debug_file *d, const struct module *m, int from_fd, int root_fd,
			 const struct alt_link *link, struct debuginfod *server);

void debug_file__close(struct debug_file *d);
