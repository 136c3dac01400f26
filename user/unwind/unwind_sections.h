/* SPDX-License-Identifier: GPL-2.0-only */
/* unwind_sections: unwind information that only section headers lead to. */
#pragma once

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNWIND_MAX_BYTES (256u << 20) /* of a section; a browser with all its symbols has 30 MB */

/*
 * The content of a section, which becomes decompressed, and sh its header then. NULL when it is broken, or when it is
 * compressed and has more than `max` bytes before or after.
 */
Elf_Data *unwind_sections__decompressed(Elf_Scn *scn, GElf_Shdr *sh, size_t max);

/* Where .eh_frame lies in memory, as the file numbers addresses. False: there is none. */
bool unwind_sections__eh_frame(int fd, uint64_t *start, uint64_t *end);

/* The content of .debug_frame, decompressed; the caller frees it. *n = 0: there is none. -ENOMEM. */
int unwind_sections__debug_frame(int fd, void **bytes, size_t *n);
