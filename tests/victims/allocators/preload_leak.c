/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -shared -fPIC
/* preload_leak: to preload into any program, a thread that leaks 512 bytes a hundred times a second. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define LEAK 512

static void *volatile last;

/* Not a tail call, so that it is on the stack. */
static __attribute__((noinline)) void leaked_here(void)
{
	last = malloc(LEAK);
}

static void *leak(void *unused)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

	for (;;) {
		leaked_here();
		nanosleep(&pause, NULL);
	}
	return unused;
}

/* Signals are for the program's own threads. */
static __attribute__((constructor)) void start(void)
{
	sigset_t all, before;
	pthread_t t;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&t, NULL, leak, NULL))
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
