/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * perf_map: names of code that a process has made at run time, from the file /tmp/perf-PID.map that many runtimes write
 * for profilers (the kernel's tools/perf/Documentation/jit-interface.txt): a line "START SIZE name" for each function,
 * the numbers hexadecimal; where lines overlap, the last one holds.
 *
 * The file is looked for in the target's own root and under the pid that the target knows itself by, then under ours.
 * It is hostile input: only a regular file is read, that belongs to the target's user or root and that nobody else can
 * write, and no more of it than a fixed number of bytes and functions. Nobody removes these files: one that is older
 * than the process belongs to another that had its pid.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct perf_map;

/* Nothing is read yet. NULL when out of memory. */
struct perf_map *perf_map__new(pid_t pid);
void perf_map__free(struct perf_map *m);

/*
 * Read what the file has more than last time, or all of it when it is another one or shorter. Without a usable file
 * what is known stays. To be called as long as pid is still the same process. How often is up to the caller: a call
 * that finds no change costs a few system calls, another one as much as the target likes, within the limits.
 */
void perf_map__refresh(struct perf_map *m);

/*
 * The name of the function at an address, terminal-safe and valid until perf_map__free(); NULL when there is none.
 * *start is the address that the function begins at.
 */
const char *perf_map__find(struct perf_map *m, uint64_t address, uint64_t *start);
