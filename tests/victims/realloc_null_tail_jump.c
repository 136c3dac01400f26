/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * realloc_null_tail_jump: functions that a libc implements by a jump into another one (glibc: realloc(NULL, n) and
 * aligned_alloc(<= 16, n) into malloc; musl: valloc into memalign). One call is one block.
 */
#define _GNU_SOURCE
#include "family.h"

#define ROUNDS 500

int main(int argc, char **argv)
{
	size_t i;

	family__look_up();
	victim__ready(argc, argv);
	for (i = 0; i < ROUNDS; i++) {
		struct kept a = {}, b = {}, c, d, e;

		by_realloc(&a, 16 + i);
		by_reallocarray(&b, 3, 1 + i);
		c = by_aligned_alloc(8, 8 + 8 * i);
		d = by_aligned_alloc(16, 16 + 16 * i);
		e = by_memalign(16, 5 + i);
		if (optional.valloc && i < 50)
			by_valloc(i);
		if (i % 4 == 0) {
			by_free(&a);
			by_realloc(&c, 0);
			by_free(&c);
		}
		if (i % 4 == 1) {
			by_realloc(&b, 100 * i);
			by_free(&d);
			by_free(&e);
		}
	}
	return victim__truth();
}
