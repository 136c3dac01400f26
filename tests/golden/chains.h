/* SPDX-License-Identifier: GPL-2.0-only */
/* chains: the distinct chains of return addresses, counted. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "maps.h"

#define MAX_FRAMES 512

struct word {
	uint64_t pc;
	int64_t path;	 /* see struct exec_map */
	uint64_t offset; /* in that file */
};

enum chain_end {
	CHAIN_WHOLE, /* at the outermost frame */
	CHAIN_CUT,   /* MAX_FRAMES were not enough */
	CHAIN_FAILED /* libdwfl could not go on: what is there is right as far as it goes */
};

struct chain {
	uint64_t hash, count;
	unsigned int function; /* that was entered */
	enum chain_end end;
	unsigned int n;
	struct word *words;
};

struct chains {
	struct chain **table;
	uint64_t size, n;
};

/* Count one more of this chain; words is copied if it is new. */
void chains__add(struct chains *s, const struct chain *c);
/*
 * "FUNCTION COUNT END PC@PATH@OFFSET ...", one a line; PATH is a number of the lines "path N NAME" that come first, or
 * -1 for what is in no file.
 */
void chains__write(const struct chains *s, const struct maps *maps, char *const *functions, FILE *file);
void chains__free(struct chains *s);
