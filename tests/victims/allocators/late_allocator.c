/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * late_allocator LIBRARY: it loads a library that has an allocator inside, says LOADED and waits for a byte; then it
 * allocates there. What dlopen() asks malloc for is not in the books.
 */
#define _GNU_SOURCE
#include "family.h"

static void *(*lib_alloc)(size_t size);
static void (*lib_free)(void *p);

SITE static void leaked_here(void)
{
	keep(__func__, lib_alloc(200), 200);
}

SITE static struct kept by_lib_alloc(size_t size)
{
	return keep(__func__, lib_alloc(size), size);
}

SITE static void by_lib_free(struct kept *k)
{
	kept__dead(k);
	lib_free(k->p);
	k->p = NULL;
}

int main(int argc, char **argv)
{
	struct kept k;
	void *lib;
	int i;

	victim__ready(argc, argv);
	lib = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
	if (!lib) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&lib_alloc = dlsym(lib, "lib_alloc");
	*(void **)&lib_free = dlsym(lib, "lib_free");
	victim__say("LOADED\n");
	victim__wait();
	for (i = 0; i < 200; i++) {
		k = by_lib_alloc((size_t)(10 + i));
		if (i % 8)
			by_lib_free(&k);
		leaked_here();
		k = by_malloc(100);
		if (i % 8)
			by_free(&k);
	}
	return victim__truth();
}
