/* SPDX-License-Identifier: GPL-2.0-only */
/* realloc_forms: NULL, zero, in place, moving, shrinking, remapped, and by another thread than the one that asked. */
#define _GNU_SOURCE
#include "crew.h"
#include "family.h"

#define ROUNDS 40

static struct kept handed[ROUNDS];
static pthread_barrier_t handed_over;
static int moved, stayed;

static void resize(struct kept *k, size_t size)
{
	uintptr_t before = (uintptr_t)k->p;

	by_realloc(k, size);
	if (before && k->p)
		++*((uintptr_t)k->p == before ? &stayed : &moved);
}

static void forms(size_t n)
{
	struct kept a = {}, b, wall;

	resize(&a, 10 + n);
	resize(&a, 0);
	resize(&a, 20 + n);
	b = by_malloc(100);
	wall = by_malloc(100);
	resize(&b, 30000 + n);
	resize(&b, 60);
	resize(&b, 60);
	resize(&b, 61);
	by_free(&wall);
	a = by_calloc(1, 300000);
	resize(&a, 900000 + n);
	resize(&a, 200000);
	resize(&a, 24);
	by_reallocarray(&a, 4, 8 + n);
	if (n % 2)
		by_free(&a);
}

static void work(int index)
{
	size_t i;

	for (i = 0; !index && i < ROUNDS; i++) {
		forms(i);
		handed[i] = by_malloc(50 + i);
	}
	pthread_barrier_wait(&handed_over);
	for (i = 0; index && i < ROUNDS; i++)
		by_realloc(&handed[i], 4000 - i);
}

int main(int argc, char **argv)
{
	pthread_barrier_init(&handed_over, NULL, 2);
	crew__start(2, work);
	victim__ready(argc, argv);
	crew__run();
	book__note("moved", moved);
	book__note("stayed", stayed);
	return victim__truth();
}
