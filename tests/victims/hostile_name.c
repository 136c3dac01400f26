/* SPDX-License-Identifier: GPL-2.0-only */
/* hostile_name: a process whose name is a command to the terminal that shows it. */
#define _GNU_SOURCE
#include <sys/prctl.h>

#include "family.h"

int main(int argc, char **argv)
{
	int i;

	prctl(PR_SET_NAME, "\033[31m\a\n\"\\\xff\302\233");
	victim__ready(argc, argv);
	for (i = 0; i < 50; i++)
		by_malloc(100);
	return victim__truth();
}
