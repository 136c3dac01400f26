/* SPDX-License-Identifier: GPL-2.0-only */
/* cfi_files: the unwind information of all modules that walks have met, each opened once. */
#pragma once

#include "unwind/cfi_file.h"

struct module;

struct cfi_files {
	void *tree; /* tsearch()'s; NULL: none yet */
	uint64_t memory_left;
};

void cfi_files__init(struct cfi_files *files);

/* Of a module that is open; valid until cfi_files__free(). NULL when out of memory. */
struct cfi_file *cfi_files__get(struct cfi_files *files, const struct module *module);
void cfi_files__free(struct cfi_files *files);
