/* SPDX-License-Identifier: GPL-2.0-only */
/* Passes over the whole block map, and those of pools. They cost O(blocks), so they are made on request or at an exec
 * only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "collect/collector_private.h"

#define BATCH	    16384
#define PURGE_STEPS (1u << 24)

typedef int (*visit_fn)(struct collector *c, const struct lt_block_key *key, const struct lt_block *block, void *ctx);

/*
 * Visit every block. The map changes meanwhile: a block that is born or freed during the pass may be visited or not. A
 * bucket that does not fit into the rest of a batch is given up by the kernel with ENOSPC, so the batch then grows.
 */
static int visit_all(struct collector *c, visit_fn visit, void *ctx)
{
	__cleanup_free struct lt_block_key *keys = NULL;
	__cleanup_free struct lt_block *values = NULL;
	int fd = bpf_map__fd(c->bpf->maps.blocks), err = 0;
	uint32_t cap = BATCH, n, i;
	uint64_t batch;
	bool more = false;

	keys = calloc(cap, sizeof(*keys));
	values = calloc(cap, sizeof(*values));
	while (keys && values) {
		n = cap;
		err = bpf_map_lookup_batch(fd, more ? &batch : NULL, &batch, keys, values, &n, NULL) ? -errno : 0;
		if (err && err != -ENOENT && err != -ENOSPC)
			return err;
		for (i = 0; i < n && err != -ENOSPC; i++) {
			int stop = visit(c, &keys[i], &values[i], ctx);

			if (stop)
				return stop < 0 ? stop : 0;
		}
		if (err == -ENOENT)
			return 0;
		if (err == -ENOSPC) {
			cap *= 2;
			free(steal_ptr(&keys));
			free(steal_ptr(&values));
			keys = calloc(cap, sizeof(*keys));
			values = calloc(cap, sizeof(*values));
			continue;
		}
		more = true;
	}
	return -ENOMEM;
}

struct each_block {
	int (*fn)(void *ctx, const struct collected_block *b);
	void *ctx;
	uint64_t now;
};

static int visit_each(struct collector *c, const struct lt_block_key *key, const struct lt_block *block, void *ctx)
{
	const struct each_block *each = ctx;
	struct collected_block b = {
		.site = stacks__primary(&c->stacks, block->site),
		.address = key->address,
		.size = block->size,
	};
	unsigned int i, image;

	/* Blocks of an address space that no one knows (any more) are in no sum either. */
	if (!images__by_slot(c->images, key->slot, &image))
		return 0;
	for (i = 0; i < c->birth.n_groups; i++) {
		const struct birth_group *g = &c->birth.groups[i];

		if (block->birth >= g->first && block->birth <= g->last)
			b.max_age_s = (double)(each->now - g->start_ns) / NSEC_PER_SEC;
	}
	return each->fn(each->ctx, &b);
}

int collector__each_block(struct collector *c, int (*fn)(void *ctx, const struct collected_block *b), void *ctx)
{
	struct each_block each = {.fn = fn, .ctx = ctx, .now = c->reading.time_ns};

	return visit_all(c, visit_each, &each);
}

static int visit_purge(struct collector *c, const struct lt_block_key *key, const struct lt_block *block, void *ctx)
{
	(void)block;
	if (key->slot == *(const uint32_t *)ctx)
		bpf_map_delete_elem(bpf_map__fd(c->bpf->maps.blocks), key);
	return 0;
}

/* Of maps whose keys begin with the pool. They are empty but where a program has one. */
static void purge_pools(int fd, size_t key_size, uint32_t slot)
{
	union {
		struct lt_pool_key pool;
		struct lt_pooled_key pooled;
	} key, next;
	void *from = NULL;
	uint32_t i;

	/* It begins anew when the kernel side deletes a key meanwhile. */
	for (i = 0; i < PURGE_STEPS && !bpf_map_get_next_key(fd, from, &next); i++) {
		if (from && key.pool.slot == slot)
			bpf_map_delete_elem(fd, &key);
		memcpy(&key, &next, key_size);
		from = &key;
	}
	if (from && key.pool.slot == slot)
		bpf_map_delete_elem(fd, &key);
}

void collector__purge(struct collector *c, uint32_t slot)
{
	visit_all(c, visit_purge, &slot);
	purge_pools(bpf_map__fd(c->bpf->maps.pools), sizeof(struct lt_pool_key), slot);
	purge_pools(bpf_map__fd(c->bpf->maps.pooled), sizeof(struct lt_pooled_key), slot);
}
