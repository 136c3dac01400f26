/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unwind_file: the parts of an ELF file that are loaded, read by the addresses that the file gives them. Section
 * headers play no role in this; the loader does not know them either.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNWIND_MAX_SEGMENTS 256

struct module;

struct unwind_segment {
	uint64_t start, end; /* addresses of what lies in the file */
	uint64_t offset;
	bool executable;
};

struct unwind_file {
	int fd; /* the module's */
	uint64_t size;
	unsigned int n;
	struct unwind_segment segments[UNWIND_MAX_SEGMENTS]; /* by address, none overlaps another */
	uint64_t eh_frame_hdr, eh_frame_hdr_size;	     /* size 0: there is none */
	uint64_t entry;					     /* where a process begins; 0: in no code of this file */
};

/* -ENOEXEC: not a loadable file of this machine; the module's open_error. There is nothing to close. */
int unwind_file__open(struct unwind_file *f, const struct module *m);

/* The segment that holds an address, or NULL. */
const struct unwind_segment *unwind_file__segment(const struct unwind_file *f, uint64_t address);

/* Read n bytes from an address on; how many were read is less at the end of the segment and of the file. */
size_t unwind_file__read(const struct unwind_file *f, uint64_t address, void *buf, size_t n);
