/* SPDX-License-Identifier: GPL-2.0-only */
/* features: what this kernel and this process may do, each found out by doing it, and how to get what is missing. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/vec.h"
#include "probe/uprobe.h"

enum feature_state { FEATURE_THERE, FEATURE_MISSING, FEATURE_UNKNOWN };

#define FEATURE_RETURNS_UNDER_SECCOMP "returns_under_seccomp"

struct feature {
	const char *id;	  /* a word, for programs */
	const char *name; /* for people */
	enum feature_state state;
	bool required;	   /* without it nothing can be traced */
	bool used;	   /* of several ways, the one that is taken */
	struct err detail; /* empty, or why it is missing, and what to do */
};

struct features {
	VEC(struct feature) list;
	enum attach_path path; /* the one that is used; ATTACH_NONE: none works */
	bool can_trace;
};

/*
 * Try everything; with `forced` other than ATTACH_NONE as if that path was the best. 0 or -ENOMEM. Takes about a
 * second: the BPF code is loaded once. Free with features__free() in every case.
 */
int features__probe(struct features *f, enum attach_path forced);
void features__free(struct features *f);
