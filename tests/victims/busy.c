/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * busy [PAUSE_US]: works from the first byte on stdin to the next, checking its own memory all the time: what a tracer
 * that comes and goes must not disturb.
 */
#define _GNU_SOURCE
#include <poll.h>

#include "family.h"

#define PLACES 500

static struct kept places[PLACES];

static bool told(void)
{
	struct pollfd stdin_ready = {.fd = 0, .events = POLLIN};

	return poll(&stdin_ready, 1, 0) == 1;
}

static void check(const struct kept *k, int mark)
{
	size_t i;

	for (i = 0; i < k->size; i++)
		if (((unsigned char *)k->p)[i] != (unsigned char)mark) {
			victim__say("HARM: a block has changed\n");
			_exit(96);
		}
}

static void turn(long n)
{
	int i = (int)(n * 7 % PLACES);
	struct kept *k = &places[i];

	if (k->p) {
		check(k, i);
		by_free(k);
	}
	*k = n % 5 ? by_malloc((size_t)(n % 300) + 1) : by_calloc(1, (size_t)(n % 200) + 1);
	if (n % 3 == 0)
		by_realloc(k, (size_t)(n % 1000) + 1);
	memset(k->p, i, k->size);
}

int main(int argc, char **argv)
{
	long pause_us = victim__arg(argc, argv, 1, 0), n;

	victim__ready(argc, argv);
	for (n = 0; n % 64 || !told(); n++) {
		turn(n);
		if (pause_us)
			usleep((useconds_t)pause_us);
	}
	victim__wait();
	book__note("turns", n);
	return victim__truth();
}
