/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -static -DSTATIC_LIBC -fcf-protection=full -fno-builtin
/*
 * endbr64: a static program with an allocator of its own in libc's place, built as distributions build theirs: each
 * function begins with endbr64. Blocks are reused, and its functions call each other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "family.h"

#define ORDERS 32
#define MEMORY (64u << 20)

struct block {
	struct block *next; /* of free ones */
	size_t size;	    /* of the class */
	unsigned int order;
};

/* In front of what is handed out. */
struct head {
	struct block *block;
	size_t room;
};

static struct block *unused[ORDERS];
static char *memory, *memory_end;

static struct block *take(unsigned int order)
{
	struct block *b = unused[order];

	if (b) {
		unused[order] = b->next;
		return b;
	}
	if (!memory) {
		memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memory_end = memory + MEMORY;
	}
	if ((size_t)(memory_end - memory) < (size_t)64 << order)
		return NULL;
	b = (struct block *)memory;
	memory += (size_t)64 << order;
	b->order = order;
	b->size = (size_t)64 << order;
	return b;
}

int posix_memalign(void **where, size_t alignment, size_t size)
{
	size_t wanted = size + alignment + sizeof(struct block) + sizeof(struct head);
	unsigned int order = 0;
	struct block *b;
	uintptr_t p;

	if (size > MEMORY)
		return ENOMEM;
	while ((size_t)64 << order < wanted)
		order++;
	b = take(order);
	if (!b)
		return ENOMEM;
	p = ((uintptr_t)(b + 1) + sizeof(struct head) + alignment - 1) & ~(alignment - 1);
	((struct head *)p)[-1].block = b;
	((struct head *)p)[-1].room = (uintptr_t)b + b->size - p;
	*where = (void *)p;
	return 0;
}

void *memalign(size_t alignment, size_t size)
{
	void *p = NULL;
	int err = posix_memalign(&p, alignment, size);

	if (err)
		errno = err;
	return p;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

void *malloc(size_t size)
{
	return memalign(16, size);
}

void *calloc(size_t count, size_t size)
{
	void *p = malloc(count * size);

	return p ? memset(p, 0, count * size) : NULL;
}

void free(void *p)
{
	struct block *b;

	if (!p)
		return;
	b = ((struct head *)p)[-1].block;
	b->next = unused[b->order];
	unused[b->order] = b;
}

void *realloc(void *p, size_t size)
{
	void *now;

	if (p && size <= ((struct head *)p)[-1].room)
		return p;
	now = malloc(size);
	if (now && p)
		memcpy(now, p, ((struct head *)p)[-1].room);
	if (now)
		free(p);
	return now;
}

void *reallocarray(void *p, size_t count, size_t size)
{
	return realloc(p, count * size);
}

int main(int argc, char **argv)
{
	size_t i;

	victim__ready(argc, argv);
	for (i = 0; i < 300; i++) {
		struct kept a = by_malloc(100 + i), b = by_calloc(2, 50), c = by_posix_memalign(64, 300);
		struct kept d = by_aligned_alloc(32, 320), e = by_memalign(128, 40), none = {};

		by_realloc(&a, 90 + i * 4);
		by_realloc(&none, 77);
		by_reallocarray(&b, 3, 700);
		by_malloc(2 * MEMORY); /* fails */
		free(NULL);
		by_free(&c);
		by_free(&d);
		if (i % 3)
			by_free(&b);
		if (i % 2)
			by_free(&e);
	}
	return victim__truth();
}
