/* SPDX-License-Identifier: GPL-2.0-only */
/* failures: calls that return nothing make no block, and a failed realloc keeps the old one. */
#define _GNU_SOURCE
#include <errno.h>

#include "family.h"

#define ROUNDS 10

/* Not constants, or the compiler complains about what is done here on purpose. */
static volatile size_t huge = PTRDIFF_MAX - 4096, half = SIZE_MAX / 2;

SITE static void fail_malloc(size_t size)
{
	keep(__func__, malloc(size), size);
}

SITE static void fail_calloc(size_t count, size_t size)
{
	keep(__func__, calloc(count, size), 0);
}

SITE static int fail_posix_memalign(size_t alignment, size_t size)
{
	void *p = (void *)1;
	int err = posix_memalign(&p, alignment, size);

	if (!err)
		abort();
	keep(__func__, NULL, size);
	return err;
}

static void fail_all(void)
{
	struct kept old = by_malloc(77);

	fail_malloc(huge);
	fail_calloc(half, 4);
	by_realloc(&old, huge);
	by_reallocarray(&old, half, 4);
	by_aligned_alloc(64, huge & ~(size_t)63);
	by_memalign(64, huge);
	by_valloc(huge);
	if (optional.pvalloc)
		by_pvalloc(huge);
	if (fail_posix_memalign(3, 100) != EINVAL || fail_posix_memalign(64, huge) != ENOMEM)
		abort();
	if (!old.p || old.size != 77)
		abort();
	by_realloc(&old, 99);
}

int main(int argc, char **argv)
{
	int i;

	family__look_up();
	victim__ready(argc, argv);
	for (i = 0; i < ROUNDS; i++)
		fail_all();
	book__note("huge", (long long)huge);
	return victim__truth();
}
