/* SPDX-License-Identifier: GPL-2.0-only */
/* odd_sizes: blocks of no bytes, one byte, sizes around every rounding, and alignments with a tail. */
#define _GNU_SOURCE
#include "family.h"

static void nothing(void)
{
	struct kept none = {}, k;

	by_malloc(0);
	by_calloc(0, 100);
	by_calloc(100, 0);
	by_calloc(0, 0);
	by_realloc(&none, 0);
	by_posix_memalign(64, 0);
	by_aligned_alloc(64, 0);
	by_memalign(64, 0);
	if (optional.valloc)
		by_valloc(0);
	if (optional.pvalloc)
		by_pvalloc(0);
	k = by_malloc(0);
	by_realloc(&k, 10);
	k = by_malloc(0);
	by_realloc(&k, 0);
	k = by_malloc(0);
	by_free(&k);
}

int main(int argc, char **argv)
{
	static const size_t around[] = {16, 24, 64, 1032, 4096, 65536, 131072, 1 << 20};
	size_t i, j, size;

	family__look_up();
	victim__ready(argc, argv);
	for (i = 0; i < 20; i++)
		nothing();
	for (i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		for (j = 0; j < 5; j++) {
			size = around[i] - 2 + j;
			by_malloc(size);
			by_calloc(1, size);
			by_calloc(size, 1);
			by_posix_memalign(around[i] < 32 ? 16 : 4096, size);
			by_memalign(64, size);
			by_aligned_alloc(64, size);
		}
	}
	return victim__truth();
}
