/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * interned: each distinct string once, terminal-safe, until the pool is freed.
 */
#pragma once

struct interned {
	void *tree;
};

/* The safe form of text; NULL when text is NULL or empty, or out of memory. */
const char *interned__safe(struct interned *pool, const char *text);

void interned__free(struct interned *pool);
