/* SPDX-License-Identifier: GPL-2.0-only */
/* json_parts: the members of the document that have a file of their own. Private to report; NULL: out of memory. */
#pragma once

#include <jansson.h>

#include "report/pick.h"
#include "report/report.h"

json_t *json_process__new(const struct process *p);
json_t *json_site__new(const struct report *r, const struct report_options *o, const struct block_index *blocks,
		       unsigned int index);
