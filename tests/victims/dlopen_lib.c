/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -shared -fPIC
/* dlopen_lib: the library of dlopen_close. */
#include <stdlib.h>

void *lib_alloc(size_t size);

void *lib_alloc(size_t size)
{
	return malloc(size);
}
