/* SPDX-License-Identifier: GPL-2.0-only */
/* hit_count: how often the planned functions of a process are called: a short count with nothing but a counter. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "probe/plan.h"
#include "probe/uprobe.h"

#define HIT_COUNT_MS  20    /* the longest */
#define HIT_COUNT_MAX 50000 /* hits after which it ends sooner */

struct hit_count {
	double seconds; /* that it took */
	uint64_t total;
	VEC(uint64_t) hits; /* of the functions of the plans, one after the other */
};

/*
 * Count the hits of the entries that are planned. 0 or a negative errno with a sentence. Free with hit_count__free() in
 * every case. Not by ATTACH_PERF, whose probes stay for seconds after they are taken away: -EOPNOTSUPP.
 */
int hit_count__run(struct hit_count *c, enum attach_path path, pid_t pid, const struct plan *plans, size_t n,
		   struct err *e);
void hit_count__free(struct hit_count *c);
