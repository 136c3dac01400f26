/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * own_new: a program's own operator new and delete, the plain ones; the library's other forms call these, but those
 * with an alignment. OWN_NEW_MALLOC: on top of malloc. OWN_NEW_HELPER: likewise, by way of functions of the program's.
 * OWN_NEW_ARENA: from an array, and malloc knows nothing of it.
 */
#pragma once

#include <new>

#include <stdlib.h>

#ifdef OWN_NEW_MALLOC
void *operator new(size_t size)
{
	void *p = malloc(size);

	if (!p)
		throw std::bad_alloc();
	return p;
}

/* The sized form is the library's, and calls this. */
void operator delete(void *p) noexcept
{
	free(p);
}
#endif

#ifdef OWN_NEW_HELPER
static __attribute__((noinline)) void *take(size_t size)
{
	void *volatile p = malloc(size);

	return p;
}

static __attribute__((noinline)) void give_back(void *p)
{
	free(p);
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

void *operator new(size_t size)
{
	void *p = take(size);

	if (!p)
		throw std::bad_alloc();
	return p;
}

void operator delete(void *p) noexcept
{
	give_back(p);
	__asm__ volatile("" ::: "memory");
}
#endif

#ifdef OWN_NEW_ARENA
#define ARENA	    (64u << 20)
#define ARENA_SIZES 20 /* 32 bytes, 64, ... */

struct arena_head {
	arena_head *next;
	long size;
};

static struct {
	alignas(16) char memory[ARENA];
	size_t used;
	arena_head *unused[ARENA_SIZES];
	int lock;
} arena;

static void *arena_take(size_t size)
{
	size_t room = 32;
	arena_head *head;
	long i = 0;

	for (; room < size + sizeof(*head) && i < ARENA_SIZES - 1; room *= 2)
		i++;
	if (room < size + sizeof(*head) || size > ARENA)
		return nullptr;
	while (__atomic_exchange_n(&arena.lock, 1, __ATOMIC_ACQUIRE))
		;
	head = arena.unused[i];
	if (head) {
		arena.unused[i] = head->next;
	} else if (arena.used + room <= ARENA) {
		head = (arena_head *)(arena.memory + arena.used);
		arena.used += room;
	}
	__atomic_store_n(&arena.lock, 0, __ATOMIC_RELEASE);
	if (!head)
		return nullptr;
	head->size = i;
	return head + 1;
}

void *operator new(size_t size)
{
	void *p = arena_take(size);

	if (!p)
		throw std::bad_alloc();
	return p;
}

void operator delete(void *p) noexcept
{
	arena_head *head = (arena_head *)p - 1;

	if (!p)
		return;
	while (__atomic_exchange_n(&arena.lock, 1, __ATOMIC_ACQUIRE))
		;
	head->next = arena.unused[head->size];
	arena.unused[head->size] = head;
	__atomic_store_n(&arena.lock, 0, __ATOMIC_RELEASE);
}
#endif
