/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file_rows: the rows of files in the kernel side's map, each file's once for all who use it, and the inodes by which
 * the kernel side knows these files.
 *
 * Rows that nobody uses any more rest for LT_REST_NS before their room is used again: a thread may be in the middle of
 * a walk.
 */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "unwind/tables.h"

#define LT_REST_NS NSEC_PER_SEC

struct bpf_map;
struct file_rows;
struct module;

/* Rows that the map should have for these tables, and for what may be loaded later. */
uint64_t file_rows__wanted(const struct tables *t);

/* In these maps, which are loaded and stay the caller's. NULL when out of memory. */
struct file_rows *file_rows__new(const struct bpf_map *rows, const struct bpf_map *files);
void file_rows__free(struct file_rows *r);

/* One more uses the file; its rows are not there before they are loaded. */
void file_rows__use(struct file_table *f);

/* One less does. With the last its rows are given back, and its names forgotten. */
void file_rows__leave(struct file_rows *r, struct file_table *f);

/* Put its rows into the map (f->first says where), unless they are there. 0, or -ENOSPC: no room, which is warned of.
 */
int file_rows__load(struct file_rows *r, struct file_table *f);

/*
 * Tell the kernel side by which inode it meets a file that is in use, once for each of its copies. A file that cannot
 * be described without its mappings has none, nor has one whose rows are not loaded.
 */
void file_rows__name(struct file_rows *r, const struct module *m, struct file_table *f);
