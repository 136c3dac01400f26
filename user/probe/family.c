/* SPDX-License-Identifier: GPL-2.0-only */
#include <fnmatch.h>
#include <string.h>

#include "probe/family.h"

const struct family *family__named(const char *name)
{
	static const struct family *const all[] = {&family_libc,     &family_malloc,   &family_jemalloc,
						   &family_tcmalloc, &family_mimalloc, &family_cxx};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!strcmp(all[i]->name, name))
			return all[i];
	}
	return NULL;
}

static bool has_name(const struct family *f, const struct family_fn *fn, const char *name)
{
	if (fn->module)
		return false;
	return f->given ? !fnmatch(fn->name, name, 0) : !strcmp(fn->name, name);
}

const struct family_fn *family__find(const struct family *f, const char *name)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (has_name(f, &f->fns[i], name))
			return &f->fns[i];
	}
	return NULL;
}

const char *family_fn__shown(const struct family_fn *fn)
{
	return fn->shown ? fn->shown : fn->name;
}

unsigned int family__order(enum lt_op op)
{
	switch (op) {
	case LT_OP_FREE:
	case LT_OP_RESET:
	case LT_OP_DISSOLVE:
		return 0;
	case LT_OP_REALLOC:
	case LT_OP_RESIZE:
		return 1;
	default:
		return 2;
	}
}

bool family_fn__ends_pool(const struct family_fn *fn)
{
	return fn->op == LT_OP_RESET || fn->op == LT_OP_DISSOLVE;
}

/* One of its functions that does; NULL: none. */
static const struct family_fn *pool_end(const struct family *f)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (family_fn__ends_pool(&f->fns[i]))
			return &f->fns[i];
	}
	return NULL;
}

/* What allocates from a pool says from which, unless the family has one only. */
bool family__has_pools(const struct family *f, const struct family_fn *fn)
{
	const struct family_fn *end = pool_end(f);

	return fn->pool_arg != LT_NO_ARG || (end && end->pool_arg == LT_NO_ARG);
}

/* mimalloc's heaps have their memory from the kernel. */
bool family__has_layer(const struct family *f)
{
	return f->given && pool_end(f);
}
