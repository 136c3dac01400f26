/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -std=c++17 -Wno-alloc-size-larger-than
/*
 * new_throws [ROUNDS]: every form of operator new and delete from several threads, and every form of new with sizes
 * that nothing can hold, so that it throws, with a handler that throws and without.
 *
 * "failed" counts failing calls of operator new; "throws" of these are left by an exception. Below each of them malloc
 * fails once, and once more for each of "retries", when the handler asked for that. Every exception, those that the
 * nothrow forms catch included, is a block that comes and goes.
 */
#include "new_forms.h"

#define THREADS 4
#define OLD	64 /* blocks that each thread keeps for a while */

static volatile size_t huge = PTRDIFF_MAX - 4095;
static std::atomic<long> retries;
static long rounds = 60;

static void handler()
{
	static thread_local int n;

	if (n++ % 2) {
		retries++;
		return;
	}
	throw std::bad_alloc();
}

/* Sizes are multiples of the alignment: libstdc++ rounds them up to that. */
static void round_of(struct kept *kept, size_t n)
{
	for (size_t i = 0; i < FORMS; i++) {
		struct kept *k = &kept[(n * 7 + i) % OLD];

		if (k->p)
			give_back(k);
		*k = forms[i](64 * (1 + (n + i) % 9));
		if (forms[i](huge).p)
			abort();
	}
	if (n % 10 == 0)
		forms[n / 10 % FORMS](6400 + 64 * n); /* leaks */
	if (n % 16 == 0)
		std::set_new_handler(n % 32 ? handler : nullptr);
}

static void work(int index)
{
	static struct kept kept[THREADS][OLD];

	for (long n = 0; n < rounds; n++)
		round_of(kept[index], (size_t)n);
}

int main(int argc, char **argv)
{
	rounds = victim__arg(argc, argv, 1, rounds);
	try {
		operator delete(operator new(huge)); /* whatever the first throw sets up */
	} catch (const std::bad_alloc &) {
	}
	crew__start(THREADS, work);
	victim__ready(argc, argv);
	crew__run();
	book__note("retries", retries);
	book__note("throws", throws);
	return victim__truth();
}
