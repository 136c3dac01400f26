/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pool: which addresses a pool has handed out, so that all its blocks can leave at once when it is reset. A list of
 * each pool's own, as a pass over all blocks would stop the target for too long.
 *
 * An entry stays when its block is freed alone, as no one can be taken out of the middle; there is one for each pool
 * and address, so they are bounded, and a block knows by its tag whether it is still the pool's.
 */
#pragma once

#include "maps.h"

#define POOL_TRIES 8

static __always_inline void pool_key__init(struct lt_pool_key *key, u32 slot, u32 family, u64 pool)
{
	key->pool = pool;
	key->slot = slot;
	key->pools = family;
}

/* Not 0. Two pools may share one; only if they share an address, too, does that matter. */
static __always_inline u16 pool_tag(const struct lt_pool_key *key)
{
	return (u16)((key->pool + key->pools) * 0x9e3779b97f4a7c15ull >> 48) | 1;
}

/* The pool has handed out an address. Negative: it cannot be remembered. */
static __noinline int pool_add(const struct lt_pool_key *pool, u64 address)
{
	struct lt_pooled_key key = {.pool = *pool, .address = address};
	u64 zero = 0, before, *last;
	int i;

	if (bpf_map_lookup_elem(&pooled, &key))
		return 0;
	last = bpf_map_lookup_elem(&pools, &key.pool);
	if (!last) {
		bpf_map_update_elem(&pools, &key.pool, &zero, BPF_NOEXIST);
		last = bpf_map_lookup_elem(&pools, &key.pool);
	}
	for (i = 0; last && i < POOL_TRIES; i++) {
		before = *(volatile u64 *)last;
		if (bpf_map_update_elem(&pooled, &key, &before, BPF_ANY))
			return -1;
		if (__sync_val_compare_and_swap(last, before, address) == before)
			return 0;
	}
	bpf_map_delete_elem(&pooled, &key);
	return -1;
}
