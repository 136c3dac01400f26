/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * own_pool [ROUNDS]: an allocator of the program's own. Pools cut blocks from chunks, which come from malloc by way of
 * a helper, or from another pool; blocks are freed one by one, or all of a pool at once. Two threads, each with pools
 * of its own, and malloc is used for other things as well.
 */
#define _GNU_SOURCE
#include "crew.h"
#include "family.h"

#define THREADS	    2
#define CHUNK	    16384
#define NESTED	    2048
#define LEAK	    1500
#define POOL_BLOCKS 8000

struct chunk {
	struct chunk *next;
};

struct unused {
	struct unused *next;
	size_t size;
};

struct pool {
	struct pool *parent; /* where chunks come from; NULL: malloc */
	struct chunk *chunks;
	struct unused *unused;
	char *at, *end;
	size_t chunk_size;
};

/* Not static, so that they have symbols in any build; and each is called. */
#define POOL_API __attribute__((noinline, noclone))

struct pool *pool_create(struct pool *parent);
void *pool_alloc(struct pool *pool, size_t size);
void *pool_zalloc(struct pool *pool, size_t size);
void *pool_array(struct pool *pool, size_t count, size_t size);
void *pool_resize(struct pool *pool, void *p, size_t size);
void pool_free(struct pool *pool, void *p);
void pool_reset(struct pool *pool);
void pool_destroy(struct pool *pool);

static POOL_API bool pool_grow(struct pool *pool)
{
	struct chunk *c = pool->parent ? pool_alloc(pool->parent, pool->chunk_size) : malloc(pool->chunk_size);

	if (!c)
		return false;
	c->next = pool->chunks;
	pool->chunks = c;
	pool->at = (char *)(c + 1);
	pool->end = (char *)c + pool->chunk_size;
	return true;
}

static size_t room_for(size_t size)
{
	return ((size < sizeof(struct unused) ? sizeof(struct unused) : size) + 2 * sizeof(size_t) - 1) / 16 * 16 + 16;
}

/* In front of each block is its size. */
POOL_API void *pool_alloc(struct pool *pool, size_t size)
{
	size_t room = room_for(size);
	struct unused **u;
	char *p;

	if (size > pool->chunk_size / 2)
		return NULL;
	for (u = &pool->unused; *u; u = &(*u)->next) {
		if (room_for((*u)->size) >= room) {
			p = (char *)*u;
			*u = (*u)->next;
			return p;
		}
	}
	if ((size_t)(pool->end - pool->at) < room && !pool_grow(pool))
		return NULL;
	p = pool->at + sizeof(size_t);
	memcpy(pool->at, &size, sizeof(size));
	pool->at += room;
	return p;
}

POOL_API void *pool_zalloc(struct pool *pool, size_t size)
{
	void *p = pool_alloc(pool, size);

	return p ? memset(p, 0, size) : NULL;
}

POOL_API void *pool_array(struct pool *pool, size_t count, size_t size)
{
	return pool_zalloc(pool, count * size);
}

POOL_API void *pool_resize(struct pool *pool, void *p, size_t size)
{
	void *now = pool_alloc(pool, size);
	size_t before;

	if (!now || !p)
		return now;
	memcpy(&before, (char *)p - sizeof(before), sizeof(before));
	memcpy(now, p, before < size ? before : size);
	pool_free(pool, p);
	return now;
}

POOL_API void pool_free(struct pool *pool, void *p)
{
	struct unused *u = p;
	size_t size;

	if (!p)
		return;
	memcpy(&size, (char *)p - sizeof(size), sizeof(size));
	u->size = size;
	u->next = pool->unused;
	pool->unused = u;
}

POOL_API void pool_reset(struct pool *pool)
{
	struct chunk *c, *next;

	for (c = pool->chunks; c; c = next) {
		next = c->next;
		if (pool->parent)
			pool_free(pool->parent, c);
		else
			free(c);
	}
	pool->chunks = NULL;
	pool->unused = NULL;
	pool->at = pool->end = NULL;
}

/* The program's functions, with the books. A pool itself is a block of malloc's, or of the pool it is in. */

struct books {
	struct pool *pool;
	struct kept self, blocks[POOL_BLOCKS];
	int n;
};

SITE POOL_API struct pool *pool_create(struct pool *parent)
{
	struct pool *pool = parent ? pool_zalloc(parent, sizeof(*pool)) : calloc(1, sizeof(*pool));

	if (!pool)
		abort();
	pool->parent = parent;
	pool->chunk_size = parent ? NESTED : CHUNK;
	return pool;
}

SITE POOL_API void pool_destroy(struct pool *pool)
{
	pool_reset(pool);
	if (pool->parent)
		pool_free(pool->parent, pool);
	else
		free(pool);
}

static void books_open(struct books *b, struct pool *parent)
{
	b->n = 0;
	b->pool = pool_create(parent);
	b->self = keep("pool_create", b->pool, sizeof(*b->pool));
}

static struct kept *books_add(struct books *b, struct kept k)
{
	if (b->n == POOL_BLOCKS)
		abort();
	b->blocks[b->n] = k;
	return &b->blocks[b->n++];
}

static void books_reset(struct books *b)
{
	while (b->n)
		kept__dead(&b->blocks[--b->n]);
}

static void books_close(struct books *b)
{
	books_reset(b);
	kept__dead(&b->self);
	pool_destroy(b->pool);
}

SITE static void leaked_here(struct books *b)
{
	books_add(b, keep(__func__, pool_alloc(b->pool, LEAK), LEAK));
}

SITE static struct kept *by_pool_alloc(struct books *b, size_t size)
{
	return books_add(b, keep(__func__, pool_alloc(b->pool, size), size));
}

SITE static struct kept *by_pool_zalloc(struct books *b, size_t size)
{
	return books_add(b, keep(__func__, pool_zalloc(b->pool, size), size));
}

SITE static struct kept *by_pool_array(struct books *b, size_t count, size_t size)
{
	return books_add(b, keep(__func__, pool_array(b->pool, count, size), count * size));
}

SITE static void by_pool_resize(struct books *b, struct kept *k, size_t size)
{
	kept__resized(k, __func__, pool_resize(b->pool, k->p, size), size);
}

SITE static void by_pool_free(struct books *b, struct kept *k)
{
	kept__dead(k);
	pool_free(b->pool, k->p);
	k->p = NULL;
}

static void use(struct books *b, size_t n)
{
	struct kept *a = by_pool_alloc(b, 20 + n), *z = by_pool_zalloc(b, 100 + n),
		    *c = by_pool_array(b, n % 5 + 1, 24);

	by_pool_alloc(b, 4 * CHUNK); /* fails */
	by_pool_resize(b, a, 200 + n);
	by_pool_resize(b, a, 8);
	if (n % 3)
		by_pool_free(b, z);
	if (n % 2)
		by_pool_free(b, c);
	if (n % 5 == 0)
		by_pool_free(b, a);
}

static long rounds = 60;

/* One pool that stays, one that is reset now and then, and one inside the first that comes and goes. */
static void work(int index)
{
	static struct books all[THREADS][3];
	struct books *stays = &all[index][0], *reset = &all[index][1], *nested = &all[index][2];
	size_t n, i;

	books_open(stays, NULL);
	books_open(reset, NULL);
	for (n = 0; n < (size_t)rounds; n++) {
		struct kept k = by_malloc(50 + n);

		use(stays, n);
		use(reset, n);
		use(reset, n + 7);
		if (n % 4 == 3) {
			books_reset(reset);
			pool_reset(reset->pool);
		}
		books_open(nested, stays->pool);
		for (i = 0; i < 20; i++)
			use(nested, i);
		books_close(nested);
		leaked_here(stays);
		if (n % 4)
			by_free(&k);
	}
}

int main(int argc, char **argv)
{
	rounds = victim__arg(argc, argv, 1, rounds);
	crew__start(THREADS, work);
	victim__ready(argc, argv);
	crew__run();
	return victim__truth();
}
