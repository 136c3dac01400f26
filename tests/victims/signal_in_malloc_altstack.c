/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * signal_in_malloc_altstack [DEPTH [ABOVE]]: a signal handler on an alternate stack allocates while the thread is
 * inside an allocating function, nested DEPTH times. The alternate stack lies below the interrupted one, or above it.
 */
#define _GNU_SOURCE
#include "crew.h"
#include "fault.h"

#define ROUNDS 300
#define STACK  (512 << 10)

static char *stacks;
static int depth = 1, above;

static void handler(int sig, siginfo_t *info, void *context)
{
	int level = fault__which(info);
	struct kept k = by_malloc(1000 + (size_t)level);

	(void)sig;
	(void)context;
	by_calloc(1, 50);
	by_free(&k);
	if (level + 1 < depth) {
		fault__close(level + 1);
		by_faulting_memalign(fault_page[level + 1], 300);
	}
	by_malloc(20);
	fault__open(level);
}

static void work(int index)
{
	int i;

	if (!index)
		return;
	fault__setup(handler, above ? stacks + STACK : stacks, STACK);
	for (i = 0; i < ROUNDS; i++) {
		fault__close(0);
		by_faulting_memalign(fault_page[0], 200 + (size_t)i);
		by_malloc(7);
	}
}

/* A second thread with a stack of our own, so that both orders of the stacks can be had. */
static void start_on_own_stack(void)
{
	pthread_attr_t attr;
	pthread_t t;

	stacks = mmap(NULL, 2 * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stacks == MAP_FAILED || pthread_attr_init(&attr) ||
	    pthread_attr_setstack(&attr, above ? stacks : stacks + STACK, STACK))
		abort();
	crew__start(1, work);
	crew.n = 2;
	pthread_barrier_init(&crew.go, NULL, 2);
	pthread_barrier_init(&crew.done, NULL, 2);
	if (pthread_create(&t, &attr, crew__thread, (void *)1))
		abort();
}

int main(int argc, char **argv)
{
	depth = (int)victim__arg(argc, argv, 1, 1);
	above = (int)victim__arg(argc, argv, 2, 0);
	if (depth < 1 || depth > FAULT_PAGES)
		abort();
	start_on_own_stack();
	victim__ready(argc, argv);
	crew__run();
	book__note("rounds", ROUNDS);
	book__note("depth", depth);
	return victim__truth();
}
