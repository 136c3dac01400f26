/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * spaces: the unwind tables and mappings as the kernel side reads them (bpf/unwind_abi.h), through mapped memory.
 *
 * What is no longer valid is replaced, never changed in place, and rests a second before its room is used again: a
 * thread may be in the middle of a walk.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "select/mappings.h"
#include "unwind/tables.h"

struct leaktrace_bpf;
struct spaces;

/* tables stay the caller's and must outlive the spaces. NULL with a sentence on failure. */
struct spaces *spaces__new(struct leaktrace_bpf *bpf, struct tables *tables, struct err *e);
void spaces__free(struct spaces *s);

/* A new address space, without mappings. Its number, or LT_NO_SPACE when there are too many. */
uint32_t spaces__add(struct spaces *s);

/* It is gone: what only it used is given back. */
void spaces__remove(struct spaces *s, uint32_t space);

/*
 * How often its mappings have become doubtful so far. To be asked before they are read, and passed to
 * spaces__publish(), so that a change in between shows. Less by one while the loader changes them.
 */
uint32_t spaces__stale(const struct spaces *s, uint32_t space);

/* The count alone, which is also that of stacks walked now (lt_rec_partial.stale). */
uint32_t spaces__epoch(const struct spaces *s, uint32_t space);

/*
 * These are its mappings now; stacks are walked by them from here on. 0; -ENOMEM; -ENOSPC: too many mappings, the old
 * ones stay and are doubtful.
 */
int spaces__publish(struct spaces *s, uint32_t space, const struct mappings *m, uint32_t stale);
