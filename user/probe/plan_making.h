/* SPDX-License-Identifier: GPL-2.0-only */
/* plan_making: what a plan is made of, between the survey of a module and the finished plan. Private to plan*.c. */
#pragma once

#include "probe/plan.h"
#include "probe/survey.h"

/* A function while it is planned. */
struct candidate {
	struct planned_fn fn;
	struct code code;
	unsigned char *bytes; /* of code */
	bool entered;	      /* other code jumps behind its entry, not beyond the place */
	struct exits exits;
	struct err why_not; /* code: not zero when it is left out */
	int err;
};

struct making {
	struct plan *plan;
	struct survey survey;
	struct elf_image *img;
	VEC(struct candidate) fns;
	VEC(unsigned char *) fragments;	  /* bytes of code elsewhere */
	uint64_t code_left;		  /* bytes that may still be read: each is decoded, some of them often */
	uint64_t first_place, last_place; /* all places behind an entry are between these */
	int err;
};

/* The candidate whose entry is there, or NULL. */
struct candidate *making__candidate(struct making *mk, uint64_t vaddr);

/* Code of the module; *bytes are the caller's to free. n is 0 when it cannot be had, or too much was. */
struct code making__read_code(struct making *mk, uint64_t vaddr, uint64_t size, unsigned char **bytes);

/* Find the ret instructions of those whose returns are seen there; those with other ways out are left out. */
int making__find_exits(struct making *mk);

/* Choose the instruction of each, and find the calls that a libc makes to its own functions. */
int making__choose_places(struct making *mk);
