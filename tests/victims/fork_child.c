/* SPDX-License-Identifier: GPL-2.0-only */
/* fork_child: a child with its own copy of our memory frees, resizes and allocates; nothing of that is ours. */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "family.h"

#define BLOCKS 60

static struct kept ours[BLOCKS];

SITE static void child(void)
{
	int i;

	for (i = 0; i < BLOCKS; i++) {
		if (i % 2)
			by_free(&ours[i]);
		else
			by_realloc(&ours[i], 5000);
		by_malloc(100);
	}
	_exit(7);
}

int main(int argc, char **argv)
{
	int i, status = 0;
	pid_t pid;

	victim__ready(argc, argv);
	for (i = 0; i < BLOCKS; i++)
		ours[i] = by_malloc(100 + (size_t)i);
	pid = fork();
	if (!pid)
		child();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	for (i = 0; i < 10; i++)
		by_free(&ours[i]);
	book__note("child_status", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return victim__truth();
}
