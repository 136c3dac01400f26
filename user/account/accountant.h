/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * accountant: readings in, snapshots out. Remembers what a single reading cannot tell: the series of floors of each
 * site, how often it rose, and since when it is known. No clock, no I/O: recorded readings give the same answer.
 */
#pragma once

#include "account/snapshot.h"
#include "collect/reading.h"

struct accountant;

struct account_options {
	double started;	     /* wall clock, seconds since the epoch */
	uint64_t started_ns; /* the same moment, monotonic */
	double interval_s;
	const char *stack_method, *attach_path;
};

/* NULL when out of memory. */
struct accountant *accountant__new(const struct account_options *o);
void accountant__free(struct accountant *a);

/*
 * Take in a reading. The snapshot stays valid until the next call; its pointers into the reading as long as that one
 * does. Sites of an address space that an exec replaced are left out: that memory is gone. NULL when out of memory.
 */
struct snapshot *accountant__update(struct accountant *a, const struct reading *r);
