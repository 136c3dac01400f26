/* SPDX-License-Identifier: GPL-2.0-only */
/* cfi_file: the unwind information of one file that a target has mapped, read when it is first asked for. */
#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

struct cfi_file;
struct module;

enum cfi_found {
	CFI_FOUND,
	CFI_GAP,     /* nothing is known of this place */
	CFI_REFUSED, /* there is something, but of a kind that is not used: hostile, too large, out of memory */
};

/*
 * m stays the caller's and must stay open. NULL when out of memory; a file that is none of this machine's has gaps
 * only. What is read of it is taken off *memory_left, which outlives it; what does not fit is refused.
 */
struct cfi_file *cfi_file__open(const struct module *m, uint64_t *memory_left);
void cfi_file__close(struct cfi_file *f);

/* The address at which the executable byte at `offset` is linked. False: no segment has it. */
bool cfi_file__address(const struct cfi_file *f, uint64_t offset, uint64_t *address);

/* The rules at an address of the file; free(*out) on CFI_FOUND. Bounded in time and memory. */
enum cfi_found cfi_file__frame(struct cfi_file *f, uint64_t address, Dwarf_Frame **out);
