/* SPDX-License-Identifier: GPL-2.0-only */
/* leader_exits: the first thread ends while another works on: /proc calls such a process a zombie, and it is not. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/syscall.h>

#include "family.h"

static pthread_barrier_t go;

static void *work(void *arg)
{
	struct kept k;
	int i;

	pthread_barrier_wait(&go);
	usleep(200000);
	for (i = 0; i < 200; i++) {
		k = by_malloc(100 + (size_t)i);
		if (i % 2)
			by_free(&k);
	}
	exit(victim__truth());
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t;

	pthread_barrier_init(&go, NULL, 2);
	if (pthread_create(&t, NULL, work, NULL))
		abort();
	victim__ready(argc, argv);
	by_malloc(5000);
	pthread_barrier_wait(&go);
	/* Not pthread_exit(), which loads a library and so allocates. */
	syscall(SYS_exit, 0);
	return 1;
}
