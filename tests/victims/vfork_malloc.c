/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfork_malloc: children of vfork() share our memory; each asks for a block that we keep and frees one of ours. The
 * books are shared too, so the truth has it all; the notes say what the children did.
 */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "family.h"

#define CHILDREN 5

static struct kept ours[CHILDREN];

SITE static void child(int i)
{
	keep(__func__, malloc(500 + (size_t)i), 500 + (size_t)i);
	by_free(&ours[i]);
	_exit(0);
}

int main(int argc, char **argv)
{
	static int i, status;
	long long freed = 0, born = 0;
	pid_t pid;

	victim__ready(argc, argv);
	for (i = 0; i < CHILDREN; i++) {
		ours[i] = by_malloc(3000 + (size_t)i);
		born += 500 + i;
		freed += 3000 + i;
	}
	for (i = 0; i < CHILDREN; i++) {
		pid = vfork();
		if (!pid)
			child(i);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			abort();
	}
	book__note("children", CHILDREN);
	book__note("child_born_bytes", born);
	book__note("child_freed_bytes", freed);
	return victim__truth();
}
