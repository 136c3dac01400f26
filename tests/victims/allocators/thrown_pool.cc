/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * thrown_pool: an allocator that is left by an exception, deep down. What the program allocates then, with a large
 * buffer where the stack of the allocator was, is the program's.
 */
#include <new>

#include "victim.h"

#define ROUNDS 200

extern "C" SITE void *pool_get(size_t size)
{
	if (size > 1000)
		throw std::bad_alloc();
	return malloc(size);
}

extern "C" SITE void pool_put(void *p)
{
	free(p);
}

static SITE void *deep(size_t size)
{
	volatile char below[9000];
	void *p;

	below[0] = 1;
	p = pool_get(size);
	below[1] = below[0];
	return p;
}

extern "C" SITE void leaked_here(void)
{
	volatile char above[16384];

	above[16000] = 1;
	book__born(__func__, malloc(100), 100);
	above[16001] = above[16000];
}

static SITE void *by_pool(size_t size)
{
	return book__born(__func__, deep(size), size);
}

int main(int argc, char **argv)
{
	int i;

	victim__ready(argc, argv);
	for (i = 0; i < ROUNDS; i++) {
		try {
			by_pool(2000);
		} catch (std::bad_alloc &) {
		}
		leaked_here();
	}
	by_pool(10);
	return victim__truth();
}
