/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -O2 -fomit-frame-pointer
// LIBS: -ldl
/*
 * stacks_dlopen [ROUNDS]: two libraries by turns, loaded, asked for memory and unloaded again. The dynamic linker puts
 * them at the same address.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[PATH_MAX];

/* Load, use and unload one; where it was. */
static __attribute__((noinline)) unsigned long turn(const char *name)
{
	char path[PATH_MAX + 32];
	void *(*alloc)(size_t n);
	unsigned long base;
	void *handle;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	handle = dlopen(path, RTLD_LAZY);
	if (!handle)
		abort();
	base = ((struct link_map *)handle)->l_addr;
	*(void **)&alloc = dlsym(handle, "lib_alloc");
	free(alloc(44));
	dlclose(handle);
	return base;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 10;
	unsigned long a = 0, b = 0;

	if (readlink("/proc/self/exe", folder, sizeof(folder) - 1) < 0)
		abort();
	dirname(folder);
	for (int i = 0; i < rounds; i++) {
		a = turn("stacks_lib_a");
		b = turn("stacks_lib_b");
	}
	printf("same address: %d\n", a == b);
	return 0;
}
