/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * site: sums of one call stack. Every change of live bytes also lowers the floor of the running window if need be, and
 * goes to the counter of the block's birth slot.
 */
#pragma once

#include "maps.h"

#define FLOOR_TRIES 4

/* Longer than any thread is kept from running between two loads, and still few of all window numbers. */
#define WINDOWS_SLEPT 1024

static __always_inline struct lt_site *site_get(u32 id)
{
	return bpf_map_lookup_elem(&sites, &id);
}

/*
 * Is a, as stored with a floor, a window after b? Numbers wrap around, 0 is none, and a site may have been idle for any
 * time: only what is just ahead is later.
 */
static __always_inline bool window_is_later(u32 a, u32 b)
{
	return a && a != b && ((a - b) & LT_WINDOW_MAX) < WINDOWS_SLEPT;
}

/*
 * Live bytes were `low` at some moment of the running window. Two words for odd and even windows, so that user space
 * can read the floor of the window that has ended while the next one is being written.
 */
static __always_inline void site_floor(struct lt_site *site, s64 low)
{
	u32 window = state.window & LT_WINDOW_MAX;
	u64 *word = &site->floor[window & 1];
	u64 old, new;
	int i;

	if (low < 0)
		low = 0;
	new = lt_floor_pack(window, low);
	for (i = 0; i < FLOOR_TRIES; i++) {
		old = *(volatile u64 *)word;
		if (lt_floor_window(old) == window && old <= new)
			return;
		/* This thread slept past the end of its window: that of a later one must not be overwritten. */
		if (window_is_later(lt_floor_window(old), window))
			return;
		if (__sync_val_compare_and_swap(word, old, new) == old)
			return;
	}
	count(LT_CNT_FLOORS_MISSED, 1);
}

static __always_inline void site_birth(struct lt_site *site, u32 birth, s64 bytes, s64 n)
{
	u32 counter = state.birth_counter[birth & (LT_BIRTH_SLOTS - 1)] & (LT_BIRTH_COUNTERS - 1);

	__sync_fetch_and_add(&site->birth_bytes[counter], bytes);
	__sync_fetch_and_add(&site->birth_blocks[counter], n);
}

/* A block came into being. */
static __always_inline void site_add(struct lt_site *site, u64 size, u32 birth)
{
	s64 before = __sync_fetch_and_add(&site->live_bytes, size);

	__sync_fetch_and_add(&site->live_blocks, 1);
	site_birth(site, birth, size, 1);
	site_floor(site, before);
}

/* A block is gone. */
static __always_inline void site_sub(const struct lt_block *block)
{
	struct lt_site *site = site_get(block->site);
	s64 after;

	if (!site)
		return;
	after = __sync_fetch_and_add(&site->live_bytes, -block->size) - block->size;
	__sync_fetch_and_add(&site->live_blocks, -1);
	__sync_fetch_and_add(&site->frees, 1);
	site_birth(site, block->birth, -block->size, -1);
	site_floor(site, after);
}

/* The id of the site with this hash, made if it is new. Always valid: an overflow site takes what does not fit. */
static __noinline u32 site_find(u64 hash, u32 slot, u16 fn)
{
	u32 id, *known = bpf_map_lookup_elem(&site_ids, &hash);
	struct lt_site *site;

	if (known)
		return *known;
	if (state.next_site >= cfg_max_sites)
		goto overflow;
	id = __sync_fetch_and_add(&state.next_site, 1);
	if (id >= cfg_max_sites)
		goto overflow;
	site = site_get(id);
	if (!site)
		goto overflow;
	site->hash = hash;
	site->slot = slot;
	site->fn = fn;
	if (bpf_map_update_elem(&site_ids, &hash, &id, BPF_NOEXIST)) {
		site->flags = LT_SITE_UNUSED;
		known = bpf_map_lookup_elem(&site_ids, &hash);
		if (!known)
			goto overflow;
		return *known;
	}
	return id;

overflow:
	count(LT_CNT_SITES_MERGED, 1);
	id = cfg_max_sites + slot;
	site = site_get(id);
	if (site) {
		site->slot = slot;
		site->flags = LT_SITE_SENT;
	}
	return id;
}
