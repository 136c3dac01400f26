/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * leak_o0 [REQUESTS [PAUSE_US]]: a server that leaks in one place, beside a cache that is filled once and buffers that
 * come and go.
 */
#define _GNU_SOURCE
#include "family.h"

#define CACHED 16

static int leak_line;

SITE static char *leaky_function(size_t size)
{
	leak_line = __LINE__ + 1;
	char *session = malloc(size);

	return book__born(__func__, session, size);
}

SITE static void handle_request(long n)
{
	struct kept buffer = by_malloc(3000);

	leaky_function(10000 + (size_t)n % 10)[0] = 1;
	by_free(&buffer);
}

SITE static void serve(long requests, long pause_us)
{
	long i;

	for (i = 0; i < requests; i++) {
		handle_request(i);
		if (pause_us)
			usleep((useconds_t)pause_us);
	}
}

SITE static void fill_cache(void)
{
	int i;

	for (i = 0; i < CACHED; i++)
		book__born(__func__, malloc(1024), 1024);
}

int main(int argc, char **argv)
{
	victim__ready(argc, argv);
	fill_cache();
	serve(victim__arg(argc, argv, 1, 200), victim__arg(argc, argv, 2, 0));
	book__note("leak_line", leak_line);
	return victim__truth();
}
