/* SPDX-License-Identifier: GPL-2.0-only */
// CC: musl-gcc
// CFLAGS: -static
/* musl_never_frees: a static program calls no free, so that it has none. */
#define _GNU_SOURCE
#include "victim.h"

#define BLOCKS 100

SITE static void grow(void)
{
	for (size_t i = 1; i <= BLOCKS; i++)
		book__born(__func__, malloc(i), i);
}

int main(int argc, char **argv)
{
	victim__ready(argc, argv);
	grow();
	return victim__truth();
}
