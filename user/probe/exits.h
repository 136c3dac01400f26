/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exits: all the places where a function can return from. Where a return probe could kill its process, its ret
 * instructions are probed instead; that is right only if there is no other way out.
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "probe/place.h"

#define EXITS_MAX 64 /* ret instructions of one function */

/* How an exits__find() looks beyond the function. */
struct exits_source {
	/*
	 * The code around vaddr, where the function goes on: a part that the compiler has put elsewhere (NAME.cold), or
	 * another function that it ends in a jump to. That may have other callers; a return is matched by its stack
	 * pointer. n is 0 if it cannot be had.
	 */
	struct code (*fragment)(void *ctx, uint64_t vaddr);
	/* Is it the entry of a function that is probed itself, at its ret instructions, too? Then a jump there is no
	 * way out. NULL: none is. */
	bool (*is_probed)(void *ctx, uint64_t vaddr);
	/* Where a jump by a pointer at this address leads; 0: nobody knows. NULL likewise. */
	uint64_t (*pointer)(void *ctx, uint64_t vaddr);
	/* Is a way that comes to this instruction of no interest any more? NULL: never. */
	bool (*ends_at)(void *ctx, const struct insn *i);
	void *ctx;
};

struct addresses {
	VEC(uint64_t) list;
};

struct exits {
	struct addresses rets;
	struct addresses jumps; /* to the entry of functions that are probed themselves */
};

/*
 * Follow the code from the function's entry. 0, also when nothing was found: it never returns; -ENOTSUP with a sentence
 * when there is a way out that cannot be probed; -ENOMEM. Free with exits__free() in every case.
 */
int exits__find(struct exits *x, const struct code *code, const struct exits_source *from, struct err *e);
void exits__free(struct exits *x);
