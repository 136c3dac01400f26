/* SPDX-License-Identifier: GPL-2.0-only */
#include <search.h>
#include <stdlib.h>

#include "select/module.h"
#include "unwind/cfi_files.h"

/* libLLVM has 6 MiB of unwind information, a browser 20. */
#define MAX_MEMORY (256ull << 20)

struct known_file {
	const struct module *module;
	struct cfi_file *file;
};

static void known_file__free(void *node)
{
	struct known_file *k = node;

	cfi_file__close(k->file);
	free(k);
}

static struct known_file *known_file__new(struct cfi_files *files, const struct module *module)
{
	struct known_file *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->module = module;
	k->file = cfi_file__open(module, &files->memory_left);
	if (!k->file) {
		free(k);
		return NULL;
	}
	return k;
}

static int compare_modules(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct known_file *)a)->module;
	uintptr_t y = (uintptr_t)((const struct known_file *)b)->module;

	return x < y ? -1 : x > y;
}

void cfi_files__init(struct cfi_files *files)
{
	*files = (struct cfi_files){.memory_left = MAX_MEMORY};
}

struct cfi_file *cfi_files__get(struct cfi_files *files, const struct module *module)
{
	struct known_file key = {.module = module}, *k, **found;

	found = tfind(&key, &files->tree, compare_modules);
	if (found)
		return (*found)->file;
	k = known_file__new(files, module);
	if (!k)
		return NULL;
	if (!tsearch(k, &files->tree, compare_modules)) {
		known_file__free(k);
		return NULL;
	}
	return k->file;
}

void cfi_files__free(struct cfi_files *files)
{
	tdestroy(files->tree, known_file__free);
	files->tree = NULL;
}
