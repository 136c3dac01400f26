/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stacks_lib: a library with LIB_FRAME bytes of locals in each function. Two of them, loaded at the same address one
 * after the other, have equal addresses and other frames.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

static volatile unsigned long sink;

static __attribute__((noinline)) void lib_use(const void *p)
{
	sink += (unsigned long)p;
}

static __attribute__((noinline)) void *lib_leaf(size_t n)
{
	char room[LIB_FRAME];
	void *p;

	memset(room, 1, sizeof(room));
	lib_use(room);
	p = malloc(n);
	lib_use(p);
	lib_use(room);
	return p;
}

static __attribute__((noinline)) void *lib_middle(size_t n)
{
	char room[2 * LIB_FRAME];
	void *p;

	memset(room, 2, sizeof(room));
	lib_use(room);
	p = lib_leaf(n);
	lib_use(p);
	lib_use(room);
	return p;
}

static void *lib_lazy_body(size_t n)
{
	return lib_middle(n);
}

/* Called by the dynamic linker when lib_lazy is called for the first time: its frames are between the two. */
static void *(*choose(void))(size_t n)
{
	free(lib_leaf(33));
	return lib_lazy_body;
}

void *lib_lazy(size_t n) __attribute__((ifunc("choose")));
void *lib_alloc(size_t n);

void *lib_alloc(size_t n)
{
	void *p = lib_lazy(n);

	lib_use(p);
	return p;
}

/* Before any tool can have read the unwind information of the library. */
static __attribute__((constructor)) void lib_begin(void)
{
	free(lib_middle(11));
}

static __attribute__((destructor)) void lib_end(void)
{
	free(lib_leaf(22));
}
