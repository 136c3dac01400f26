/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * one_call_site: different functions of the family called through one and the same instruction at one stack depth, and
 * the same addresses freed again by different functions there. Only tail jumps may be taken for one call.
 */
#define _GNU_SOURCE
#include "family.h"

#define ROUNDS 2000

typedef void *(*any_fn)(uintptr_t a, uintptr_t b);

SITE static void *the_call(void *fn, uintptr_t a, uintptr_t b)
{
	return ((any_fn)fn)(a, b);
}

int main(int argc, char **argv)
{
	static const char *const me = "the_call";
	uintptr_t i;

	family__look_up();
	victim__ready(argc, argv);
	for (i = 0; i < ROUNDS; i++) {
		void *p, *q;

		p = book__born(me, the_call(malloc, 40, 0), 40);
		book__dead(me, 40);
		the_call(free, (uintptr_t)p, 0);
		p = book__born(me, the_call(realloc, 0, 40), 40);
		book__dead(me, 40);
		the_call(optional.cfree ? (void *)optional.cfree : (void *)free, (uintptr_t)p, 0);
		p = book__born(me, the_call(calloc, 1, 40), 40);
		q = book__born(me, the_call(memalign, 16, 40), 40);
		book__dead(me, 40);
		book__born(me, the_call(realloc, (uintptr_t)p, 41), 41);
		book__dead(me, 40);
		/* realloc to nothing frees by glibc's word and is a block of nothing by musl's. */
		q = the_call(realloc, (uintptr_t)q, 0);
		if (q)
			book__born(me, q, 0);
		book__born(me, the_call(aligned_alloc, 16, 48), 48);
	}
	return victim__truth();
}
