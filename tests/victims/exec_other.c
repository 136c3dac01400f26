/* SPDX-License-Identifier: GPL-2.0-only */
/* exec_other PROGRAM [ARGS...]: allocates, then becomes another program. */
#define _GNU_SOURCE
#include "family.h"

int main(int argc, char **argv)
{
	int i;

	if (argc < 2)
		return 2;
	victim__ready(0, NULL);
	for (i = 0; i < 50; i++)
		by_malloc(100);
	execv(argv[1], argv + 1);
	return 3;
}
