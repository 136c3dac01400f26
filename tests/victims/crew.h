/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crew: threads that exist before READY (their creation allocates) and after TRUTH (so does their end), and run one
 * function together in between.
 */
#pragma once

#include <pthread.h>

#include "victim.h"

#define CREW_MAX 16

static struct {
	pthread_barrier_t go, done;
	void (*work)(int index);
	int n;
} crew;

static void *crew__thread(void *arg)
{
	pthread_barrier_wait(&crew.go);
	crew.work((int)(intptr_t)arg);
	pthread_barrier_wait(&crew.done);
	for (;;)
		pause();
	return NULL;
}

/* One of the n is the caller of crew__run(). */
static UNUSED void crew__start(int n, void (*work)(int index))
{
	pthread_t t;
	int i;

	if (n < 1 || n > CREW_MAX)
		abort();
	crew.n = n;
	crew.work = work;
	pthread_barrier_init(&crew.go, NULL, (unsigned int)n);
	pthread_barrier_init(&crew.done, NULL, (unsigned int)n);
	for (i = 1; i < n; i++)
		if (pthread_create(&t, NULL, crew__thread, (void *)(intptr_t)i))
			abort();
}

static UNUSED void crew__run(void)
{
	pthread_barrier_wait(&crew.go);
	crew.work(0);
	pthread_barrier_wait(&crew.done);
}
