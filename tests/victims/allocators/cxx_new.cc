/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -std=c++17 -Wno-alloc-size-larger-than -Wno-sized-deallocation
/*
 * cxx_new [ROUNDS [ABORTS]]: every form of operator new and delete from two threads, exceptions in between, and a leak.
 *
 * ABORTS 1: the allocator ends the program instead of throwing, as mimalloc does where it is built as C. Then only the
 * forms that throw nothing are asked for what they cannot give.
 *
 * "failed" counts failing calls of operator new. How often an allocator below fails differs.
 */
#include "../new_forms.h"
#include "own_new.h"

#define THREADS 2
#define OLD	64
#define LEAK	9024

static volatile size_t huge = PTRDIFF_MAX - 4095;
static std::atomic<long> exceptions;
static long rounds = 60, aborts;

extern "C" {

SITE void leaked_here()
{
	book__born(__func__, new char[LEAK], LEAK);
}
}

/* An exception is a block, too. */
static void throw_one()
{
	try {
		throw 1;
	} catch (int) {
		exceptions++;
	}
}

static void ask_too_much(size_t n)
{
	size_t i;

	for (i = (aborts ? NOTHROW_0 : 0) + n % 2; i < FORMS; i += 2)
		if (forms[i](huge).p)
			abort();
	throw_one();
}

/* Sizes are multiples of the alignment: libstdc++ rounds them up to that. */
static void work(int index)
{
	static struct kept kept[THREADS][OLD];

	for (size_t n = 0; n < (size_t)rounds; n++) {
		for (size_t i = 0; i < FORMS; i++) {
			struct kept *k = &kept[index][(n * 7 + i) % OLD];

			if (k->p)
				give_back(k);
			*k = forms[i](64 * (1 + (n + i) % 9));
		}
		if (n % 4 == 0)
			ask_too_much(n / 4);
		leaked_here();
	}
}

int main(int argc, char **argv)
{
	long before;

	rounds = victim__arg(argc, argv, 1, rounds);
	aborts = victim__arg(argc, argv, 2, 0);
	throw_one(); /* whatever the first throw sets up */
	before = exceptions;
	crew__start(THREADS, work);
	victim__ready(argc, argv);
	crew__run();
	book__note("throws", throws);
	book__note("exceptions", exceptions - before);
	return victim__truth();
}
