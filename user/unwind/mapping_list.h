/* SPDX-License-Identifier: GPL-2.0-only */
/* mapping_list: the mappings of a process in the words of the kernel side. */
#pragma once

#include <stdbool.h>

#include "base/vec.h"
#include "select/mappings.h"
#include "unwind/tables.h"
#include "unwind_abi.h"

struct mapping_list {
	VEC(struct lt_mapping) list; /* by address, each up to the next; the last one is a hole */
};

/*
 * Translate m; out is empty before. Files have the rows that are loaded now (file_table.first). 0 or -ENOMEM, also
 * where there are no mappings at all.
 */
int mapping_list__make(struct mapping_list *out, struct tables *tables, const struct mappings *m);
void mapping_list__free(struct mapping_list *l);

bool mapping_list__is_same(const struct mapping_list *a, const struct mapping_list *b);

/* Is there executable memory without a file? */
bool mapping_list__has_plain(const struct mapping_list *l);
