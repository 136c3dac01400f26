/* SPDX-License-Identifier: GPL-2.0-only */
/* tcmalloc_api [ROUNDS]: the interface of gperftools' tcmalloc, in two threads. */
#define _GNU_SOURCE
#include <gperftools/tcmalloc.h>

#include "crew.h"
#include "family.h"

/* For C++ in the header. */
void *tc_new(size_t size);
void *tc_newarray(size_t size);
void tc_delete(void *p);
void tc_delete_sized(void *p, size_t size);
void tc_deletearray(void *p);
void tc_deletearray_sized(void *p, size_t size);

#define THREADS 2

static volatile size_t huge = PTRDIFF_MAX - 4095;
static long rounds = 60;

SITE static void leaked_here(void)
{
	keep(__func__, tc_malloc(6000), 6000);
}

#define GETS(name, call, size, ...)                                                                                    \
	SITE static struct kept by_##name(__VA_ARGS__)                                                                 \
	{                                                                                                              \
		return keep(__func__, call, size);                                                                     \
	}

GETS(tc_malloc, tc_malloc(n), n, size_t n)
GETS(tc_malloc_skip_new_handler, tc_malloc_skip_new_handler(n), n, size_t n)
GETS(tc_calloc, tc_calloc(count, n), count *n, size_t count, size_t n)
GETS(tc_memalign, tc_memalign(alignment, n), n, size_t alignment, size_t n)
GETS(tc_valloc, tc_valloc(n), n, size_t n)
GETS(tc_pvalloc, tc_pvalloc(n), n, size_t n)
GETS(tc_new, tc_new(n), n, size_t n)
GETS(tc_newarray, tc_newarray(n), n, size_t n)

#define GIVES_BACK(name, call)                                                                                         \
	SITE static void by_##name(struct kept *k)                                                                     \
	{                                                                                                              \
		kept__dead(k);                                                                                         \
		call;                                                                                                  \
		k->p = NULL;                                                                                           \
	}

GIVES_BACK(tc_free, tc_free(k->p))
GIVES_BACK(tc_free_sized, tc_free_sized(k->p, k->size))
GIVES_BACK(tc_cfree, tc_cfree(k->p))
GIVES_BACK(tc_delete, tc_delete(k->p))
GIVES_BACK(tc_delete_sized, tc_delete_sized(k->p, k->size))
GIVES_BACK(tc_deletearray, tc_deletearray(k->p))
GIVES_BACK(tc_deletearray_sized, tc_deletearray_sized(k->p, k->size))

SITE static struct kept by_tc_posix_memalign(size_t alignment, size_t size)
{
	void *p = NULL;

	if (tc_posix_memalign(&p, alignment, size))
		p = NULL;
	return keep(__func__, p, size);
}

SITE static void by_tc_realloc(struct kept *k, size_t size)
{
	kept__resized(k, __func__, tc_realloc(k->p, size), size);
}

static void like_malloc(size_t n)
{
	struct kept a = by_tc_malloc(100 + n), b = by_tc_calloc(n + 1, 30), c = by_tc_memalign(512, 40);
	struct kept d = by_tc_valloc(9), e = by_tc_pvalloc(4097), f = by_tc_posix_memalign(64, 70 + n), none = {};
	struct kept g = by_tc_malloc_skip_new_handler(31);

	by_tc_malloc(huge);
	by_tc_realloc(&a, 3000 + n);
	by_tc_realloc(&a, huge);
	by_tc_realloc(&none, 55);
	by_tc_realloc(&none, 0);
	by_tc_free(&c);
	by_tc_free(&d);
	by_tc_cfree(&e);
	by_tc_free(&f);
	by_tc_free_sized(&g);
	by_tc_free(&(struct kept){});
	if (n % 4)
		by_tc_free(&a);
	if (n % 4)
		by_tc_free_sized(&b);
}

static void like_new(size_t n)
{
	struct kept a = by_tc_new(88 + n), b = by_tc_newarray(1000 + n), c = by_tc_new(n), d = by_tc_newarray(20);

	by_tc_delete(&a);
	by_tc_deletearray(&d);
	if (n % 8)
		by_tc_deletearray_sized(&b);
	if (n % 8)
		by_tc_delete_sized(&c);
}

static void work(int index)
{
	int i;

	for (i = 0; i < rounds; i++) {
		like_malloc((size_t)(i + index));
		like_new((size_t)(i + index));
		leaked_here();
	}
}

int main(int argc, char **argv)
{
	rounds = victim__arg(argc, argv, 1, rounds);
	crew__start(THREADS, work);
	victim__ready(argc, argv);
	crew__run();
	return victim__truth();
}
