/* SPDX-License-Identifier: GPL-2.0-only */
// LIBS: -ldl
/*
 * dlopen_close [BEFORE]: blocks are asked for inside a library that is unloaded afterwards; it is loaded before READY
 * or after it. The dynamic linker allocates too: the truth is that of the sites.
 */
#define _GNU_SOURCE
#include <libgen.h>
#include <limits.h>

#include "family.h"

#define BLOCKS	   30
#define A_WHILE_US 1500000

static void *open_library(void)
{
	static char path[PATH_MAX], lib[PATH_MAX + 16];
	void *handle;

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		abort();
	snprintf(lib, sizeof(lib), "%s/dlopen_lib", dirname(path));
	handle = dlopen(lib, RTLD_NOW);
	if (!handle)
		abort();
	return handle;
}

int main(int argc, char **argv)
{
	bool before = victim__arg(argc, argv, 1, 0);
	void *handle = before ? open_library() : NULL;
	void *(*lib_alloc)(size_t size);
	Dl_info info;
	int i;

	victim__ready(argc, argv);
	if (!before)
		handle = open_library();
	*(void **)&lib_alloc = dlsym(handle, "lib_alloc");
	for (i = 0; i < BLOCKS; i++)
		book__born("lib_alloc", lib_alloc(100), 100);
	/* A file that is mapped for an instant only cannot be opened in time by anyone. */
	usleep(A_WHILE_US);
	dlclose(handle);
	book__note("unloaded", !dladdr(*(void **)&lib_alloc, &info));
	return victim__truth();
}
