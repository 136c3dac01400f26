/* SPDX-License-Identifier: GPL-2.0-only */
/* plan_making: what a plan is made of, between the survey of a module and the finished plan. Private to plan*.c. */
#pragma once

#include "probe/plan.h"
#include "probe/survey.h"

/* A function while it is planned. */
struct candidate {
	struct planned_fn fn;
	struct code code;
	unsigned char *bytes;	 /* of code */
	bool counted_below;	 /* left out because it calls one that is probed, always */
	struct candidate *below; /* that, if it is in this module */
	bool entered;		 /* other code jumps behind its entry, not beyond the place */
	struct exits exits;
	struct err why_not; /* code: not zero when it is left out */
	int err;
};

struct making {
	struct plan *plan;
	struct survey survey;
	struct elf_image *img;
	VEC(struct candidate) fns;
	VEC(unsigned char *) fragments; /* bytes of code elsewhere */
	uint64_t code_left;		/* bytes that may still be read: each is decoded, some of them often */
	unsigned int names_left; /* functions that may still be looked for by name: each time all symbols are read */
	VEC(struct candidate *) by_vaddr;
	uint64_t first_place, last_place; /* all places behind an entry are between these */
	int err;
};

/* The candidate whose entry is there, or NULL. */
struct candidate *making__candidate(struct making *mk, uint64_t vaddr);

/* Code of the module; *bytes are the caller's to free. n is 0 when it cannot be had, or too much was. */
struct code making__read_code(struct making *mk, uint64_t vaddr, uint64_t size, unsigned char **bytes);

/* Another piece of code of the module, as the unwind information parts it. n is 0 when it cannot be had. */
struct code making__fragment(void *making, uint64_t vaddr);

/* Leave out what only calls a function that is probed; and once these are known, see whether they are. */
void making__leave_out_callers(struct making *mk);
void making__check_callers(struct making *mk);

/* Find the ret instructions of those whose returns are seen there; those with other ways out are left out. */
int making__find_exits(struct making *mk);

/* Leave out those one of whose ret instructions is the place of a function, which can have one probe only. */
void making__check_rets(struct making *mk);

/* Choose the instruction of each, and find the calls that a libc makes to its own functions. */
int making__choose_places(struct making *mk);

/* Tell the plan which code is the allocators' own. */
int making__fill_internal(struct making *mk);
