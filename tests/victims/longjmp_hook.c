/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * longjmp_hook [JUMPS]: an allocating function is left by a long jump out of a signal handler, again and again, from
 * different depths; in between and afterwards the same calls end well. What an abandoned call allocated was never
 * handed out: it must not be counted, and what is counted must not be disturbed by it.
 */
#define _GNU_SOURCE
#include <setjmp.h>

#include "fault.h"

static sigjmp_buf back;
static char altstack[256 << 10];
static long jumps = 10000;

static void handler(int sig, siginfo_t *info, void *context)
{
	static int n;

	(void)sig;
	(void)context;
	fault__which(info);
	if (n++ % 2)
		by_malloc(30);
	siglongjmp(back, 1);
}

SITE static void descend(int levels, void **where, size_t size)
{
	if (levels)
		descend(levels - 1, where, size);
	else
		by_faulting_memalign(where, size);
}

static void abandon(int levels)
{
	if (!sigsetjmp(back, 1)) {
		descend(levels, fault_page[0], 200);
		abort();
	}
}

static void normal_work(int levels, size_t size)
{
	static void *result;
	struct kept k = by_malloc(size);

	descend(levels, &result, size);
	by_realloc(&k, size * 2);
	if (size % 3)
		by_free(&k);
}

int main(int argc, char **argv)
{
	long i;

	jumps = victim__arg(argc, argv, 1, jumps);
	fault__setup(handler, altstack, sizeof(altstack));
	victim__ready(argc, argv);
	for (i = 0; i < jumps; i++) {
		abandon((int)(i * 7 % 20));
		if (i % 10 == 0)
			normal_work((int)(i % 20), 100 + (size_t)i % 50);
	}
	for (i = 0; i < 200; i++)
		normal_work((int)(i % 20), 100 + (size_t)i);
	book__note("abandoned", jumps);
	return victim__truth();
}
