/* SPDX-License-Identifier: GPL-2.0-only */
/* many_live [BLOCKS]: that many blocks of mixed sizes, none of them freed. */
#define _GNU_SOURCE
#include "family.h"

int main(int argc, char **argv)
{
	long i, blocks = victim__arg(argc, argv, 1, 1000000);
	struct kept none = {};
	size_t size;

	victim__ready(argc, argv);
	for (i = 0; i < blocks; i++) {
		size = (size_t)i * 37 % 150 + (i % 10000 ? 0 : 100000);
		if (i % 4 == 0)
			by_calloc(1, size);
		else if (i % 4 == 1)
			by_realloc(&none, size);
		else
			by_malloc(size);
		none.p = NULL;
	}
	return victim__truth();
}
