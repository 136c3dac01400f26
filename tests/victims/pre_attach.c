/* SPDX-License-Identifier: GPL-2.0-only */
/* pre_attach: frees and resizes blocks that are older than the trace. */
#define _GNU_SOURCE
#include "family.h"

#define BLOCKS 100

int main(int argc, char **argv)
{
	static void *old[BLOCKS];
	int i;

	for (i = 0; i < BLOCKS; i++)
		old[i] = malloc(100 + (size_t)i);
	victim__ready(argc, argv);
	for (i = 0; i < BLOCKS; i++) {
		struct kept k;

		if (i % 3 == 2)
			continue;
		book__dead_old();
		if (i % 3) {
			free(old[i]);
			continue;
		}
		k = keep("main", realloc(old[i], 1000 + (size_t)i), 1000 + (size_t)i);
		if (i % 2)
			by_free(&k);
	}
	for (i = 0; i < 50; i++)
		by_malloc(10);
	book__note("old_released", BLOCKS - BLOCKS / 3);
	return victim__truth();
}
