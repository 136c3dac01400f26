/* SPDX-License-Identifier: GPL-2.0-only */
/* block: the map of outstanding blocks. What cannot be kept is counted; sums over it equal the sums over the sites. */
#pragma once

#include "maps.h"
#include "site.h"

static __always_inline bool is_tracked(u32 slot, u32 layer, u64 address)
{
	struct lt_block_key key = {.address = address, .slot = slot, .layer = layer};

	return bpf_map_lookup_elem(&blocks, &key);
}

/* Take the block at address out of the map. 0, or negative when it is not there. */
static __always_inline int block_take(u32 slot, u32 layer, u64 address, struct lt_block *out)
{
	struct lt_block_key key = {.address = address, .slot = slot, .layer = layer};
	struct lt_block *found = bpf_map_lookup_elem(&blocks, &key);

	if (!found)
		return -1;
	*out = *found;
	/* Of two threads that free the same block (the program's bug) only one may subtract it. */
	return bpf_map_delete_elem(&blocks, &key);
}

static __always_inline int block_insert(u32 slot, u32 layer, u64 address, const struct lt_block *block)
{
	struct lt_block_key key = {.address = address, .slot = slot, .layer = layer};

	return bpf_map_update_elem(&blocks, &key, block, BPF_NOEXIST);
}

/* A block that cannot be kept. */
static __always_inline void block_lost(u64 size)
{
	count(LT_CNT_BLOCKS_NOT_TRACKED, 1);
	count(LT_CNT_BYTES_NOT_TRACKED, size);
}

/* A new block. The allocator has not returned yet, so no one can free it before its sums are there. */
static __always_inline void block_born(u32 slot, u32 layer, u64 address, u64 size, struct lt_site *site, u32 site_id,
				       u16 pool_tag)
{
	struct lt_block block = {.size = size, .site = site_id, .birth = (u16)state.birth, .pool_tag = pool_tag};
	struct lt_block old;
	int err;

	err = block_insert(slot, layer, address, &block);
	if (err == -17 /* EEXIST */) {
		/* The allocator hands this address out again, so its last block was freed where we did not see it. */
		if (!block_take(slot, layer, address, &old)) {
			site_sub(&old);
			count(LT_CNT_FREES_MISSED, 1);
		}
		err = block_insert(slot, layer, address, &block);
	}
	if (err) {
		block_lost(size);
		return;
	}
	site_add(site, size, block.birth);
}

/* Put a taken block back: its realloc failed or was abandoned. Its sums were never changed. */
static __always_inline void block_restore(u32 slot, u32 layer, u64 address, const struct lt_block *block)
{
	if (!block_insert(slot, layer, address, block))
		return;
	/* The map filled up meanwhile, or the address was handed out: the block leaves the sums as a counted loss. */
	site_sub(block);
	block_lost(block->size);
}
