/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ret_insns [THREADS [ROUNDS]]: the functions of glibc that return at ret instructions only, by every way that leads to
 * one of these: small and large blocks, with one thread and with more, failures, and jumps to another function.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "crew.h"
#include "family.h"

#define OLD 32 /* blocks that each thread keeps for a while */

static volatile size_t huge = PTRDIFF_MAX - 4096;
static long rounds = 200;

static struct kept make(size_t kind, size_t size)
{
	struct kept none = {};

	switch (kind % 6) {
	case 0:
		return by_posix_memalign(128, size);
	case 1:
		return by_aligned_alloc(64, size);
	case 2:
		return by_aligned_alloc(16, size); /* jumps to malloc */
	case 3:
		by_realloc(&none, size); /* jumps to malloc */
		return none;
	case 4:
		return by_memalign(4096, size);
	}
	return by_malloc(size);
}

static void fail(void)
{
	struct kept old = by_malloc(77);
	void *p;

	keep("fail_malloc", malloc(huge), huge);
	by_realloc(&old, huge);
	by_aligned_alloc(64, huge & ~(size_t)63);
	by_memalign(64, huge);
	if (posix_memalign(&p, 3, 100) != EINVAL || posix_memalign(&p, 64, huge) != ENOMEM)
		abort();
	keep("fail_posix_memalign", NULL, 100);
	keep("fail_posix_memalign", NULL, huge);
	by_realloc(&old, 0); /* frees it */
	if (old.p)
		abort();
}

static void work(int index)
{
	struct kept kept[OLD] = {};
	size_t n;

	for (n = 0; n < (size_t)rounds; n++) {
		struct kept *k = &kept[n * 5 % OLD];

		if (k->p && n % 3)
			by_realloc(k, n % 7 ? 10 + n * 3 : 200000 + n);
		if (k->p)
			by_free(k);
		*k = make(n + (size_t)index, (n % 50 ? 16 : 16384) * (1 + n % 20));
		if (n % 20 == 0)
			fail();
	}
}

int main(int argc, char **argv)
{
	rounds = victim__arg(argc, argv, 2, rounds);
	crew__start((int)victim__arg(argc, argv, 1, 1), work);
	victim__ready(argc, argv);
	crew__run();
	return victim__truth();
}
