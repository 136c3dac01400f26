/* SPDX-License-Identifier: GPL-2.0-only */
/* null_frees [CALLS]: frees nothing, very often, and a little. */
#define _GNU_SOURCE
#include "family.h"

int main(int argc, char **argv)
{
	long calls = victim__arg(argc, argv, 1, 10000), i;
	struct kept k;

	victim__ready(argc, argv);
	for (i = 0; i < calls; i++)
		free(NULL);
	for (i = 0; i < 10; i++) {
		k = by_malloc(100);
		by_free(&k);
	}
	return victim__truth();
}
