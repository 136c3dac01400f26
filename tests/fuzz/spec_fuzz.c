/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * spec_fuzz: a libFuzzer target. The input is the description of an allocator: it is refused in a sentence, or what
 * comes of it is in order and complete.
 */
#include <stdlib.h>

#include "probe/allocator_spec.h"

#define MAX_INPUT (2 * ALLOCATOR_SPEC_SIZE)

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_arg(uint8_t arg)
{
	return arg < 6 || arg == LT_NO_ARG;
}

static void check_fn(const struct family_fn *fn)
{
	bool releases = fn->op == LT_OP_FREE || fn->op == LT_OP_RESET;

	must(fn->name && fn->name[0] && !fn->shown);
	must(is_arg(fn->size_arg) && is_arg(fn->count_arg) && is_arg(fn->ptr_arg) && is_arg(fn->pool_arg));
	must(releases == (fn->size_arg == LT_NO_ARG) && !(releases && fn->throws));
	must((fn->op == LT_OP_ALLOC || fn->op == LT_OP_RESET) == (fn->ptr_arg == LT_NO_ARG));
	must(!fn->module == !fn->vaddr && (!fn->module || fn->module[0]));
}

static void check_family(const struct family *f)
{
	unsigned int i, allocating = 0;

	must(f->given && f->name && f->name[0] && f->n > 1 && f->n <= ALLOCATOR_FNS_MAX);
	for (i = 0; i < f->n; i++) {
		check_fn(&f->fns[i]);
		if (f->fns[i].size_arg != LT_NO_ARG)
			allocating++;
		else
			must(!allocating);
	}
	must(allocating && allocating < f->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct allocator_specs s = {};
	struct err e = {};
	char *text;

	/* Nor a file. */
	if (n > MAX_INPUT || (n && data[0] == '@'))
		return 0;
	text = strndup((const char *)data, n);
	must(text);
	if (allocator_specs__add(&s, text, &e)) {
		must(e.text[0] && !s.list.n);
	} else {
		must(s.list.n == 1);
		check_family(s.list.at[0]);
	}
	allocator_specs__free(&s);
	free(text);
	return 0;
}
