/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "probe/family.h"
#include "probe/family_tables.h"

const struct family *family__libc(void)
{
	return &family_libc;
}

const struct family *family__named(const char *name)
{
	static const struct family *const all[] = {&family_libc, &family_jemalloc, &family_tcmalloc, &family_mimalloc,
						   &family_cxx};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!strcmp(all[i]->name, name))
			return all[i];
	}
	return NULL;
}

static const struct family_fn *find(const struct family *f, const char *name)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (!strcmp(f->fns[i].name, name))
			return &f->fns[i];
	}
	return NULL;
}

const struct family_fn *family__find(const struct family *f, const char *name)
{
	size_t prefix = f->prefix ? strlen(f->prefix) : 0;
	const struct family_fn *fn = find(f, name);

	if (!fn && prefix && !strncmp(name, f->prefix, prefix))
		fn = find(f, name + prefix);
	return fn;
}

const char *family_fn__shown(const struct family_fn *fn)
{
	return fn->shown ? fn->shown : fn->name;
}
