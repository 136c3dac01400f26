/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exec_same_pid_same_addr: a program that replaces itself by itself and gets the same addresses again. The truth is
 * that of the second image; nothing of the first may be left in it.
 */
#define _GNU_SOURCE
#include <sys/personality.h>

#include "family.h"

#define BLOCKS 100

SITE static void *first_image(size_t size)
{
	return malloc(size);
}

SITE static void *second_image(size_t size)
{
	return book__born(__func__, malloc(size), size);
}

static void run_again(char *stage, void *address, char **argv)
{
	static char address_text[40];
	char *env[] = {stage, address_text, NULL};

	snprintf(address_text, sizeof(address_text), "ADDRESS=%p", address);
	execve("/proc/self/exe", argv, env);
	abort();
}

static int second(void)
{
	void *first_address = NULL, *p;
	int i;

	sscanf(getenv("ADDRESS"), "%p", &first_address);
	for (i = 0; i < BLOCKS; i++) {
		p = second_image(500 + (size_t)i);
		if (!i)
			book__note("same_address", p == first_address);
	}
	return victim__truth();
}

int main(int argc, char **argv)
{
	const char *stage = getenv("STAGE");
	void *address = NULL;
	int i;

	if (!stage) {
		if (personality(ADDR_NO_RANDOMIZE) < 0)
			abort();
		run_again("STAGE=1", NULL, argv);
	}
	if (!strcmp(stage, "2"))
		return second();
	victim__ready(argc, argv);
	for (i = 0; i < BLOCKS; i++) {
		void *p = first_image(500 + (size_t)i);

		if (!i)
			address = p;
	}
	run_again("STAGE=2", address, argv);
}
