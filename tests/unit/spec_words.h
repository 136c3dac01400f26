/* SPDX-License-Identifier: GPL-2.0-only */
/* spec_words: what tests of allocators that a user describes share. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/allocator_spec.h"

static inline int add(struct allocator_specs *s, const char *text, struct err *e)
{
	int err;

	e->text[0] = '\0';
	err = allocator_specs__add(s, text, e);
	/* A sentence exactly when it fails, and safe to show. */
	assert_int_equal(e->text[0] != '\0', err != 0);
	assert_null(strpbrk(e->text, "\033\n"));
	return err;
}

/* The family of a spec that must be right. */
static inline const struct family *added(struct allocator_specs *s, const char *text)
{
	struct err e;

	if (add(s, text, &e))
		fail_msg("\"%s\": %s", text, e.text);
	return s->list.at[s->list.n - 1];
}

static inline void expect_refused(const char *text, const char *sentence)
{
	struct allocator_specs s = {};
	struct err e;

	if (add(&s, text, &e) != -EINVAL)
		fail_msg("\"%s\" was taken", text);
	if (!strstr(e.text, sentence))
		fail_msg("\"%s\": %s", text, e.text);
	assert_int_equal(s.list.n, 0);
	allocator_specs__free(&s);
}

struct wrong {
	const char *text, *sentence; /* a part of it */
};

static inline size_t describe_arg(char *text, size_t size, const char *key, uint8_t arg)
{
	return arg == LT_NO_ARG ? 0 : (size_t)snprintf(text, size, " %s%d", key, arg);
}

/* In words, with arguments from 0. */
static inline size_t describe(char *text, size_t size, const struct family_fn *fn)
{
	static const char *const ops[] = {"none", "alloc", "realloc", "free", "alloc_at", "resize", "reset"};
	size_t n = (size_t)snprintf(text, size, "%s %s", ops[fn->op], fn->name);

	n += describe_arg(text + n, size - n, "size", fn->size_arg);
	n += describe_arg(text + n, size - n, "count", fn->count_arg);
	n += describe_arg(text + n, size - n, "ptr", fn->ptr_arg);
	n += describe_arg(text + n, size - n, "pool", fn->pool_arg);
	if (fn->module)
		n += (size_t)snprintf(text + n, size - n, " at 0x%llx of %s", (unsigned long long)fn->vaddr,
				      fn->module);
	return n + (size_t)snprintf(text + n, size - n, "%s; ", fn->throws ? " throws" : "");
}

static inline void expect_family(const struct family *f, const char *want)
{
	char text[2048];
	unsigned int i;
	size_t n = 0;

	assert_true(f->given && !f->has_prefix && !f->evident);
	for (i = 0; i < f->n; i++) {
		n += describe(text + n, sizeof(text) - n, &f->fns[i]);
		assert_null(f->fns[i].shown);
	}
	assert_string_equal(text, want);
}
