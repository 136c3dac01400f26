/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * deep_calls DEPTH PAIRS: that many pairs of malloc and free, below a recursion of this depth. Says READY, begins with
 * a line on stdin, says DONE, ends with another one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *volatile kept;

static __attribute__((noinline)) long deep(int depth, long pairs)
{
	volatile char frame[40];
	long i;

	frame[0] = (char)depth;
	if (depth > 0)
		return deep(depth - 1, pairs) + frame[0];
	for (i = 0; i < pairs; i++) {
		kept = malloc(64);
		free(kept);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	printf("READY pid=%d\n", getpid());
	fflush(stdout);
	getchar();
	deep(atoi(argv[1]), atol(argv[2]));
	puts("DONE");
	fflush(stdout);
	getchar();
	return 0;
}
