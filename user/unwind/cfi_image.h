/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cfi_image: libdw's view of one section of unwind information, over a checked copy of its bytes.
 *
 * libdw gets a small ELF file in memory with nothing but this section in it. Given the real file it would read all its
 * debug sections to find .debug_frame, and all of the file where there are no section headers.
 */
#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unwind/cfi_check.h"

/* Bytes of a file and where they are linked; size 0: there are none. */
struct cfi_part {
	uint64_t offset, size, address;
};

struct cfi_source {
	enum cfi_section kind;
	int fd;
	struct cfi_part section;
	struct cfi_part search_table; /* .eh_frame_hdr */
	bool to_terminator;	      /* the size of the section is a guess */
	const void *bytes;	      /* of the section, instead of those in the file; else NULL */
};

struct cfi_image {
	char *bytes;
	Elf *elf;
	Dwarf *dwarf; /* owner of a .debug_frame's cfi */
	Dwarf_CFI *cfi;
};

/*
 * 0; -ENOMEM; -EFBIG: larger than that of any real file; -EBADMSG: refused by cfi_check(); -EIO: the file is shorter
 * than it says; -ENODATA: empty.
 */
int cfi_image__open(struct cfi_image *image, const struct cfi_source *from);
/* Also after a failed open, and on a zeroed image. */
void cfi_image__close(struct cfi_image *image);
