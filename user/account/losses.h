/* SPDX-License-Identifier: GPL-2.0-only */
/* losses: what each counter of struct losses is called, means and asks for, and whether it makes the answer wrong. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "account/snapshot.h"

struct loss_kind {
	const char *name;    /* the key in JSON: that of the field */
	const char *words;   /* for people, before a colon and the number */
	const char *remedy;  /* what to do about it; NULL: the next kind of the table says it */
	bool is_bytes;	     /* a size, not a count */
	bool changes_answer; /* figures or places are wrong; otherwise only detail is missing */
	size_t offset;	     /* of the uint64_t in struct losses */
};

extern const struct loss_kind loss_kinds[];
extern const unsigned int n_loss_kinds;

uint64_t loss_kind__count(const struct loss_kind *k, const struct losses *l);

/* True when anything was lost, whether or not it changes the answer. */
bool losses__any(const struct losses *l);
