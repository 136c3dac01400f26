/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unwind_info: the unwind information of a file, as bytes and as a list of the functions that it covers.
 *
 * What the loader would use comes first: the table of .eh_frame_hdr (a program header says where it is), then what that
 * points to as .eh_frame. BOLT leaves an old .eh_frame in the file, which is not that. Files that were linked without
 * .eh_frame_hdr need section headers: .eh_frame, or else .debug_frame.
 */
#pragma once

#include <stdint.h>

#include "base/vec.h"
#include "unwind/cfi.h"

struct unwind_file;

struct unwind_function {
	uint64_t start, end; /* addresses in the file */
	uint32_t at;	     /* of its FDE in the section */
};

struct unwind_info {
	struct cfi_section section;
	VEC(struct unwind_function) functions; /* by start; none has the start of another */
	uint32_t bad;			       /* entries that were left out */
	void *bytes;			       /* of the section */
};

/* 0, also when the file has none (no functions); -ENOMEM; -EFBIG. End with unwind_info__free() in every case. */
int unwind_info__read(struct unwind_info *info, const struct unwind_file *f);
void unwind_info__free(struct unwind_info *info);

/* False when more has been interpreted than any real file makes necessary. */
bool unwind_info__within_limits(const struct unwind_info *info);
