/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * verdict: what a site does, decided from its series alone: no clock, no I/O.
 *
 * Until the statistical tests are in, class, growing and confidence stay unknown; a site whose floor rose in every
 * window that moved is said to be rising, and no more than that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct snapshot;
struct site;

enum leak_class { CLASS_UNKNOWN, CLASS_RECURRING, CLASS_SPORADIC, CLASS_ONE_TIME, CLASS_IMPLICIT, CLASS_NONE };

struct verdict {
	enum leak_class class;
	int growing;	   /* 1 yes, 0 no, -1 unknown */
	double confidence; /* 0..1; NAN unknown */
	bool rising;	   /* the floor rose at least VERDICT_MIN_RISES times and never fell */
	unsigned int rank; /* 1 is the first to look at */
	char reason[160];  /* one sentence; empty: none */
};

#define VERDICT_MIN_RISES 5

/* "unknown", "recurring", "sporadic", "one-time", "implicit", "none" */
const char *leak_class__name(enum leak_class c);

struct judgement {
	struct verdict *sites; /* one for each snapshot.sites, same order */
	unsigned int *order;   /* indices of snapshot.sites, best rank first */
	unsigned int n;
};

/* Judge every site. 0, or -ENOMEM. Free with judgement__free(). */
int judge__snapshot(const struct snapshot *snap, struct judgement *out);
void judgement__free(struct judgement *j);
