/* SPDX-License-Identifier: GPL-2.0-only */
/* host_walk: hand-made unwind tables for the walker of bpf/walk.h, and its walks by them. */
#pragma once

#include "host_calls.h"

#define SP   0x7ffd00010000ull
#define IP   0x7f0000005000ull
#define CODE 0x7e0000000000ull

/* An empty world: no tables, no memory, nothing in the cache of rules. */
void scene__start(void);

/* Mappings in the order of their addresses, each up to the next; a hole follows up to it, or to the end. */
void scene__add_mapping(const struct lt_mapping *m, u64 end);

/* A file's, with these rows; their pcs count from its start. */
void scene__add_table(u32 file, u64 start, u64 end, const struct lt_row *table, u32 n);

/* What was added is the space now; its mappings are known to be right. */
void scene__publish(void);

/* From the entry of a function that returns to ret. */
void scene__walk(u64 sp, u64 fp, u64 ret);

const struct lt_frame *scene__frame(unsigned int i);

/* The walk came to this many frames, and ended so. */
static inline void assert_end(unsigned int n, unsigned int end)
{
	assert_int_equal(host.current->state.stack.end, end);
	assert_int_equal(host.current->state.stack.n, n);
	assert_int_equal(scene__frame(0)->pc, IP);
}
