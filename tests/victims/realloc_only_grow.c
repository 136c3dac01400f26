/* SPDX-License-Identifier: GPL-2.0-only */
/* realloc_only_grow [STEPS [PAUSE_US]]: one buffer that only ever grows. */
#define _GNU_SOURCE
#include "family.h"

int main(int argc, char **argv)
{
	long i, steps = victim__arg(argc, argv, 1, 3000), pause_us = victim__arg(argc, argv, 2, 0);
	struct kept k = {};

	victim__ready(argc, argv);
	for (i = 1; i <= steps; i++) {
		by_realloc(&k, (size_t)i * 100);
		if (pause_us)
			usleep((useconds_t)pause_us);
	}
	return victim__truth();
}
