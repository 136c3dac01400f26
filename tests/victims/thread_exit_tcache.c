/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * thread_exit_tcache: threads fill their allocator cache and end, so that the allocator gives those chunks back to
 * itself: calls of free that the program did not make. One round's threads free what those of the last round left.
 * Creating threads allocates too: the truth is that of the sites.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "family.h"

#define ROUNDS	20
#define THREADS 4
#define BLOCKS	40

static struct kept left[2][THREADS][BLOCKS];

struct job {
	int round, index;
};

static void *work(void *arg)
{
	const struct job *job = arg;
	struct kept *mine = left[job->round % 2][job->index];
	struct kept *theirs = left[(job->round + 1) % 2][(job->index + 1) % THREADS];
	struct kept own[BLOCKS];
	int i;

	for (i = 0; i < BLOCKS; i++) {
		mine[i] = by_malloc(16 + 16 * ((size_t)i % 20));
		own[i] = by_malloc(16 + 16 * ((size_t)i % 10));
	}
	for (i = 0; i < BLOCKS; i++) {
		by_free(&own[i]);
		by_free(&theirs[i]);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct job jobs[THREADS];
	pthread_t threads[THREADS];
	int round, i;

	victim__ready(argc, argv);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < THREADS; i++) {
			jobs[i] = (struct job){round, i};
			if (pthread_create(&threads[i], NULL, work, &jobs[i]))
				abort();
		}
		for (i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
	}
	book__note("threads", ROUNDS * THREADS);
	return victim__truth();
}
