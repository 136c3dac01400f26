/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cfi_check: whether libdw may see a section of unwind information that a target wrote.
 *
 * libdw 0.188 allocates 2 GB for a register number that a byte sequence of five makes, copies that for each remembered
 * state, and reads beyond the section for some augmentations. So all entries are looked at first, in one pass. A
 * section that has one which no compiler writes is not used at all; entries are reached through pointers (from
 * .eh_frame_hdr, to a CIE), which must lead to entries that were looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cfi_section { CFI_EH_FRAME, CFI_DEBUG_FRAME };

struct cfi_entries;

/*
 * NULL with *why: -ENOMEM, -EBADMSG. With `to_terminator`, a length of zero ends it, and *size becomes how much there
 * was. Free with cfi_entries__free().
 */
struct cfi_entries *cfi_check(const uint8_t *at, size_t *size, enum cfi_section kind, bool to_terminator, int *why);
void cfi_entries__free(struct cfi_entries *e);

/*
 * Whether a .eh_frame_hdr at address hdr_addr has a search table of the usual form, all of it leading to FDEs of the
 * .eh_frame at frame_addr.
 */
bool cfi_check__search_table(const struct cfi_entries *e, const uint8_t *hdr, size_t size, uint64_t hdr_addr,
			     uint64_t frame_addr);
