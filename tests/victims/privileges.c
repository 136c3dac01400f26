/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * privileges [UID [DUMPABLE]]: works, becomes another user if UID is given, works on. With DUMPABLE, the process sets
 * that for itself; 0 closes its files in /proc to everyone but root. The truth has the user that it is at the end.
 */
#define _GNU_SOURCE
#include <sys/prctl.h>

#include "crew.h"
#include "family.h"

static pthread_barrier_t changed;
static long uid;

static void half(void)
{
	size_t i;

	for (i = 0; i < 200; i++) {
		struct kept k = by_malloc(100 + i), z = by_calloc(2, 100);

		by_realloc(&k, 1000 + i);
		by_free(&z);
	}
}

static void work(int index)
{
	half();
	if (!index && uid > 0 && setuid((uid_t)uid))
		abort();
	pthread_barrier_wait(&changed);
	half();
}

int main(int argc, char **argv)
{
	long dumpable = victim__arg(argc, argv, 2, -1);

	uid = victim__arg(argc, argv, 1, 0);
	pthread_barrier_init(&changed, NULL, 2);
	crew__start(2, work);
	if (dumpable >= 0 && prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0))
		abort();
	victim__ready(argc, argv);
	crew__run();
	book__note("uid", getuid());
	book__note("euid", geteuid());
	book__note("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	return victim__truth();
}
