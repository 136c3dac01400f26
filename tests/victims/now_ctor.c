/* SPDX-License-Identifier: GPL-2.0-only */
/* now_ctor: allocates before main(): only who traces from the first instruction sees that. */
#define _GNU_SOURCE
#include "family.h"

__attribute__((constructor)) static void before_main(void)
{
	int i;

	for (i = 0; i < 7; i++)
		book__born(__func__, malloc(1000), 1000);
}

int main(int argc, char **argv)
{
	struct kept k;
	int i;

	victim__ready(argc, argv);
	for (i = 0; i < 20; i++) {
		k = by_malloc(50);
		if (i % 2)
			by_free(&k);
	}
	return victim__truth();
}
