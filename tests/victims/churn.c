/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * churn [THREADS]: many threads in malloc and free from the first byte on stdin to the next, each checking its
 * blocks all the time: what a tracer that comes and goes must not disturb.
 */
#define _GNU_SOURCE
#include <poll.h>

#include "crew.h"

#define BLOCKS 40

static long threads, turns[CREW_MAX];
static volatile bool ended;

struct block {
	unsigned char *p;
	size_t size;
};

static void harm(const char *what)
{
	victim__say("HARM: ");
	victim__say(what);
	victim__say("\n");
	_exit(96);
}

static void check(const struct block *b, unsigned char mark)
{
	size_t i;

	for (i = 0; i < b->size; i++)
		if (b->p[i] != mark)
			harm("a block has changed");
}

static void turn(struct block *b, unsigned char mark, size_t n)
{
	if (b->p)
		check(b, mark);
	if (n % 4 && b->p) {
		free(b->p);
		b->p = NULL;
	}
	b->size = 1 + n * 31 % 700;
	b->p = b->p ? realloc(b->p, b->size) : malloc(b->size);
	if (!b->p)
		harm("a call has failed");
	memset(b->p, mark, b->size);
}

static void work(int index)
{
	struct block blocks[BLOCKS] = {};
	size_t n;
	int i;

	for (n = 0; !ended; n++) {
		i = (int)(n * 7 % BLOCKS);
		turn(&blocks[i], (unsigned char)(index * BLOCKS + i), n);
		/* Two processors have other things to do, too. */
		if (n % 8 == 0)
			usleep(1000);
	}
	for (i = 0; i < BLOCKS; i++)
		free(blocks[i].p);
	turns[index] = (long)n;
}

static void until_told(int index)
{
	struct pollfd stdin_ready = {.fd = 0, .events = POLLIN};

	if (index) {
		work(index);
		return;
	}
	while (poll(&stdin_ready, 1, -1) != 1)
		;
	ended = true;
}

int main(int argc, char **argv)
{
	long least, i;

	threads = victim__arg(argc, argv, 1, 8);
	crew__start((int)threads + 1, until_told);
	victim__ready(argc, argv);
	crew__run();
	victim__wait();
	for (least = turns[1], i = 2; i <= threads; i++)
		least = turns[i] < least ? turns[i] : least;
	book__note("least_turns", least);
	return victim__truth();
}
