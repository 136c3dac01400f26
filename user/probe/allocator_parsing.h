/* SPDX-License-Identifier: GPL-2.0-only */
/* allocator_parsing: a spec while it is read. Private to allocator_*.c. */
#pragma once

#include "probe/allocator_spec.h"

enum spec_key { SPEC_SIZE, SPEC_COUNT, SPEC_PTR, SPEC_RESULT, SPEC_POOL, SPEC_KEYS };

/* A part of the text. */
struct spec_word {
	const char *at;
	size_t n;
};

struct spec_fn {
	struct spec_word word; /* the whole of it, as in "alloc=FN(size=1)" */
	struct spec_word name; /* FN */
	size_t module;	       /* so many bytes of the name are that of a file; 0: it is a symbol */
	uint64_t vaddr;	       /* there, if it is none */
	enum lt_op op;
	uint8_t args[SPEC_KEYS]; /* from 1; 0: not given */
	bool nothrow;
};

struct spec {
	const char *where; /* the text is from, as the user knows it */
	const char *text;
	const char *at; /* the next to be read */
	struct err *e;
	struct spec_word name;
	struct spec_fn fns[ALLOCATOR_FNS_MAX];
	unsigned int n;
	bool nothrow; /* all of them */
};

/* Read it: s->where, s->text and s->e are set, all else is zero. */
int spec__parse(struct spec *s);

/* Is f->name a symbol, a glob or a place in a file? Sets f->module and f->vaddr. */
int spec__take_name(const struct spec *s, struct spec_fn *f);

/* What is right word by word may be wrong together. */
int spec__check(const struct spec *s);

static inline bool spec_fn__allocates(const struct spec_fn *f)
{
	return f->op != LT_OP_FREE && f->op != LT_OP_RESET;
}

/* -EINVAL. The sentence begins with the place and the word; it goes on with fmt: " is not known; ...", ": ...". */
int spec__fail(const struct spec *s, struct spec_word word, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
