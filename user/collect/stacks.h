/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stacks: the frames of each site, resolved to files when they arrive and kept until the end of the trace.
 *
 * The kernel side knows a stack by a hash; stacks that user space had to finish have another one than those walked by
 * tables. Sites whose frames turn out to be the same places are joined: one of them is the primary, the others follow.
 */
#pragma once

#include <stdint.h>

#include "abi.h"
#include "collect/images.h"
#include "collect/reading.h"
#include "unwind_abi.h"

struct finisher;
struct tables;

#define NO_SITE UINT32_MAX

struct stack {
	struct frame *frames; /* NULL: not arrived */
	uint32_t site, slot;
	uint32_t primary; /* the site that it is shown as; its own number, if none had these frames before */
	uint32_t next;	  /* of those shown as the same, from the primary on; NO_SITE: the last one */
	uint16_t n;
	uint16_t fn;
	uint8_t end;   /* enum lt_stack_end */
	uint8_t flags; /* LT_STACK_... */
	bool finished; /* by user space */
};

struct stacks {
	struct stack *by_site;
	uint64_t n;
	void *by_places; /* tsearch() tree of primaries */
	struct finisher *finisher;
	struct tables *tables; /* not owned; NULL: stacks follow frame pointers */
};

/* 0 or -ENOMEM. */
int stacks__init(struct stacks *s, uint64_t n_sites, struct tables *tables);
void stacks__free(struct stacks *s);

/*
 * Keep the stack of a record of type LT_REC_STACK or LT_REC_PARTIAL, of a site that was made for function fn. A second
 * record of the same site is ignored. 0, -ENOMEM, or -EPROTO for a bad record.
 */
int stacks__add(struct stacks *s, struct images *images, uint16_t fn, const struct lt_rec_stack *rec, size_t size);

/* The site that a site is shown as: itself, unless its frames are those of another. */
uint32_t stacks__primary(const struct stacks *s, uint32_t site);
