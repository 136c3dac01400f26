/* SPDX-License-Identifier: GPL-2.0-only */
/* reset: functions that release all blocks of a pool at once, or do away with a pool whose blocks live on. */
#pragma once

#include "maps.h"
#include "identity.h"
#include "event.h"
#include "argument.h"
#include "pending.h"
#include "block.h"
#include "pool.h"

struct reset {
	struct lt_pooled_key at;
	u64 next;
	u64 released;
	u32 fn;
	u16 tag;
	u8 layer;
	bool releases;
};

static __always_inline void release(struct reset *r)
{
	struct lt_block_key key = {.address = r->at.address, .slot = r->at.pool.slot, .layer = r->layer};
	struct lt_block block, *found = bpf_map_lookup_elem(&blocks, &key);

	/* Freed alone meanwhile, and perhaps handed out again by someone else. */
	if (!found || found->pool_tag != r->tag || block_take(key.slot, key.layer, key.address, &block))
		return;
	site_sub(&block);
	r->released++;
	event(LT_EVENT_GONE, r->fn, key.address, block.size);
}

/* One entry of the list; 1: there are no more. */
static long reset_one(u32 i, void *ctx)
{
	struct reset *r = ctx;
	u64 *next;

	(void)i;
	if (!r->next)
		return 1;
	r->at.address = r->next;
	next = bpf_map_lookup_elem(&pooled, &r->at);
	if (!next)
		return 1;
	r->next = *next;
	bpf_map_delete_elem(&pooled, &r->at);
	if (r->releases)
		release(r);
	return 0;
}

#define MOST_LOOPS (1u << 23) /* BPF_MAX_LOOPS (kernel/bpf/verifier.c) */

static __always_inline void reset_pool(struct reset *r, const struct task_state *ts, u64 pool, u32 family)
{
	struct lt_slot *slot;
	u64 *last;

	pool_key__init(&r->at.pool, ts->slot, family, pool);
	r->tag = pool_tag(&r->at.pool);
	last = bpf_map_lookup_elem(&pools, &r->at.pool);
	if (!last)
		return;
	r->next = __sync_lock_test_and_set(last, 0);
	bpf_loop(MOST_LOOPS, reset_one, r, 0);
	slot = slot_get(ts->slot);
	if (slot)
		__sync_fetch_and_add(&slot->frees, r->released);
}

static __always_inline void on_pool_end(struct pt_regs *ctx)
{
	u32 id = bpf_get_attach_cookie(ctx);
	struct lt_fn *fn = bpf_map_lookup_elem(&fns, &id);
	struct task_state *ts;
	struct reset r = {.fn = id};
	u64 sp;

	if (!fn || state.frozen)
		return;
	ts = task_enter();
	if (!ts)
		return;
	sp = PT_REGS_SP(ctx) + fn->sp_offset;
	/* What it gives back by calling another function is not the program's doing. */
	enter_module(ts, fn->module, PT_REGS_IP(ctx) - fn->vaddr);
	enter_release(ts, id, 0, sp, return_address(sp));
	r.layer = fn->layer;
	r.releases = fn->op == LT_OP_RESET;
	reset_pool(&r, ts, argument(ctx, fn->pool_reg), fn->pools);
}
