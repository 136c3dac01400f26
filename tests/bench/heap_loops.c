/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * heap_loops MODE OPERATIONS: allocator work that says what it cost.
 *
 *	READY pid=N			it waits for a line on stdin: the tool attaches now
 *	DONE ops=N cpu_ns=N ns_per_op=N	the work is done; it waits for stdin to close, so that the tool can be asked
 *
 * CPU time of the whole process, taken inside. Built with -fno-builtin, or the compiler drops pairs nobody looks at.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAIR_BYTES    64
#define GROW_STEP     64
#define GROW_STEPS    512
#define THREADS	      8
#define THREAD_BLOCKS 64
#define MIXED_BYTES   2048

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *checked(void *p)
{
	if (!p)
		abort();
	return p;
}

static void run_pair(long ops)
{
	long i;

	for (i = 0; i < ops; i++)
		free(checked(malloc(PAIR_BYTES)));
}

static void run_realloc(long ops)
{
	char *p = NULL;
	long i;

	for (i = 0; i < ops; i++) {
		p = checked(realloc(p, (size_t)(i % GROW_STEPS + 1) * GROW_STEP));
		if (i % GROW_STEPS == GROW_STEPS - 1) {
			free(p);
			p = NULL;
		}
	}
	free(p);
}

static void *mixed_thread(void *arg)
{
	void *blocks[THREAD_BLOCKS] = {};
	long i, ops = *(long *)arg;
	uint32_t random = (uint32_t)(uintptr_t)blocks | 1;

	for (i = 0; i < ops; i++) {
		random = random * 1664525 + 1013904223;
		free(blocks[random >> 26]);
		blocks[random >> 26] = checked(malloc(1 + (random >> 8) % MIXED_BYTES));
	}
	for (i = 0; i < THREAD_BLOCKS; i++)
		free(blocks[i]);
	return NULL;
}

static void run_threads(long ops)
{
	pthread_t threads[THREADS];
	long share = ops / THREADS;
	int i;

	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, mixed_thread, &share))
			abort();
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void run_live(long ops)
{
	long i;

	for (i = 0; i < ops; i++)
		checked(malloc(PAIR_BYTES));
}

static const struct {
	const char *name;
	void (*run)(long ops);
} modes[] = {{"pair", run_pair}, {"realloc", run_realloc}, {"threads", run_threads}, {"live", run_live}};

int main(int argc, char **argv)
{
	long ops = argc == 3 ? atol(argv[2]) : 0;
	uint64_t before, spent;
	char byte;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (ops > 0 && !strcmp(argv[1], modes[i].name))
			break;
	if (i == sizeof(modes) / sizeof(modes[0])) {
		fprintf(stderr, "usage: %s pair|realloc|threads|live OPERATIONS\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("READY pid=%d\n", getpid());
	if (read(STDIN_FILENO, &byte, 1) != 1)
		return 1;
	before = cpu_ns();
	modes[i].run(ops);
	spent = cpu_ns() - before;
	printf("DONE ops=%ld cpu_ns=%llu ns_per_op=%.1f\n", ops, (unsigned long long)spent,
	       (double)spent / (double)ops);
	while (read(STDIN_FILENO, &byte, 1) == 1)
		;
	return 0;
}
