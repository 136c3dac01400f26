/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * own_arena [ROUNDS]: an allocator of the program's own with one arena from mmap, which is reset as a whole; malloc is
 * used for other things.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "family.h"

#define ARENA  (4u << 20)
#define BLOCKS 4096
#define LEAK   16000

static struct {
	char *memory;
	size_t used;
} arena;

void *arena_alloc(size_t size);
void arena_free(void *p);
void arena_reset(void);

/* In front of each block is its size. */
__attribute__((noinline)) void *arena_alloc(size_t size)
{
	char *p = arena.memory + arena.used;

	if (size > ARENA || arena.used + size + 32 > ARENA)
		return NULL;
	arena.used += (size + 31) / 16 * 16;
	memcpy(p, &size, sizeof(size));
	return p + 16;
}

/* The last one is there again at once. */
__attribute__((noinline)) void arena_free(void *p)
{
	char *block = (char *)p - 16;
	size_t size;

	if (!p)
		return;
	memcpy(&size, block, sizeof(size));
	if (block + (size + 31) / 16 * 16 == arena.memory + arena.used)
		arena.used = (size_t)(block - arena.memory);
}

__attribute__((noinline)) void arena_reset(void)
{
	arena.used = 0;
}

static struct kept blocks[BLOCKS];
static int n_blocks;

SITE static struct kept *by_arena_alloc(size_t size)
{
	if (n_blocks == BLOCKS)
		abort();
	blocks[n_blocks] = keep(__func__, arena_alloc(size), size);
	return &blocks[n_blocks++];
}

SITE static void by_arena_free(struct kept *k)
{
	kept__dead(k);
	arena_free(k->p);
	k->p = NULL;
}

SITE static void leaked_here(void)
{
	blocks[n_blocks++] = keep(__func__, arena_alloc(LEAK), LEAK);
}

static void work(long rounds)
{
	struct kept *last, k;
	long i, n;

	for (n = 0; n < rounds; n++) {
		for (i = 0; i < 20; i++) {
			by_arena_alloc((size_t)(40 + i * n));
			last = by_arena_alloc(77);
			if (i % 3)
				by_arena_free(last);
		}
		by_arena_alloc(2 * ARENA); /* fails */
		leaked_here();
		if (n % 2) {
			k = by_malloc((size_t)(300 + n));
			if (n % 4 == 1)
				by_free(&k);
		}
		if (n % 10 == 4) {
			while (n_blocks)
				kept__dead(&blocks[--n_blocks]);
			arena_reset();
		}
	}
}

int main(int argc, char **argv)
{
	arena.memory = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena.memory == MAP_FAILED)
		abort();
	victim__ready(argc, argv);
	work(victim__arg(argc, argv, 1, 40));
	return victim__truth();
}
