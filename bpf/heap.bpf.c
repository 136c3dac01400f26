/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * heap: the probes of allocator functions. One program serves all functions; the attach cookie says which one was hit.
 *
 *	entry:  nested? → ignored.  free → block leaves.  alloc, realloc → stack walked, call becomes pending
 *	return: pending call found by stack pointer → block born, or failure counted
 *
 * Three ways to be attached (the loader picks one): session (one program, entry decides whether the return fires),
 * uprobe_multi and perf uprobe (two programs).
 */
#include "maps.h"
#include "identity.h"
#include "event.h"
#include "argument.h"
#include "pending.h"
#include "stack.h"
#include "block.h"
#include "pool.h"
#include "reset.h"

/* Bytes asked for; saturates where count * size overflows (the call will fail, and this is the size it failed with). */
static __always_inline u64 requested_size(struct pt_regs *ctx, const struct lt_fn *fn)
{
	u64 size = argument(ctx, fn->size_reg), n, most;

	if (fn->count_reg == LT_NO_REG)
		return size;
	n = argument(ctx, fn->count_reg);
	if (!n)
		return 0;
	most = ~0ull / n;
	barrier_var(most); /* else clang makes a 128-bit multiplication of it, which BPF does not have */
	return size > most ? ~0ull : n * size;
}

static __always_inline void count_free(u32 slot, bool tracked)
{
	struct lt_slot *s = slot_get(slot);

	if (!s)
		return;
	__sync_fetch_and_add(&s->frees, 1);
	if (!tracked)
		__sync_fetch_and_add(&s->frees_untracked, 1);
}

/*
 * Is it a release that goes on in another function? free_sized() may end in a jump to free(): same frame, same pointer;
 * what ends a pool, with that of the pool itself. operator delete may call a helper that calls free() with its pointer.
 */
static __always_inline bool is_same_release(const struct task_state *ts, u32 id, u64 ptr, u64 sp, u64 ret)
{
	if (ts->free_fn == id)
		return false;
	if (ts->free_sp == sp)
		return ts->free_ret == ret && (!ts->free_ptr || ts->free_ptr == ptr);
	return ts->free_sp > sp && ts->free_ptr == ptr;
}

/*
 * nested: the allocator itself calls. What it frees is its own then, unless the program had that from below it: a pool
 * that is destroyed gives its chunks back, and they are whoever's that made the pool.
 */
static __always_inline void on_free(struct task_state *ts, const struct lt_fn *fn, u32 id, u64 ptr, u64 sp, u64 ret,
				    bool nested)
{
	struct lt_block block;
	bool tracked;

	if (!ptr)
		return;
	nested = nested || is_same_release(ts, id, ptr, sp, ret);
	if (!nested)
		enter_release(ts, id, ptr, sp, ret);
	tracked = !block_take(ts->slot, fn->layer, ptr, &block);
	if (tracked)
		site_sub(&block);
	else if (nested)
		return;
	count_free(ts->slot, tracked);
	event(LT_EVENT_GONE, id, ptr, tracked ? block.size : LT_NO_SIZE);
}

/* A call whose return is not watched: what it returns is lost, what it releases is (most likely) gone. */
static __always_inline void abandon(struct task_state *ts, const struct lt_fn *fn, u32 id, u64 ptr, u32 loss)
{
	struct lt_block old;
	bool tracked;

	count(loss, 1);
	if (fn->op != LT_OP_REALLOC || !ptr)
		return;
	tracked = !block_take(ts->slot, fn->layer, ptr, &old);
	if (tracked)
		site_sub(&old);
	count_free(ts->slot, tracked);
	event(LT_EVENT_GONE, id, ptr, tracked ? old.size : LT_NO_SIZE);
}

/* Does it end the old life of the block at ptr? */
static __always_inline bool replaces(const struct lt_fn *fn)
{
	return fn->op == LT_OP_REALLOC || fn->op == LT_OP_RESIZE;
}

static __always_inline int on_alloc(struct pt_regs *ctx, struct task_state *ts, const struct lt_fn *fn, u32 id, u64 ptr,
				    u64 sp, u64 ret, enum stack_method method)
{
	u64 size = requested_size(ctx, fn);
	bool wanted = size >= cfg_min_size && size <= cfg_max_size;
	struct pending *p;
	struct lt_slot *s;

	ts->free_sp = 0;
	if (!wanted) {
		s = slot_get(ts->slot);
		if (s)
			__sync_fetch_and_add(&s->filtered, 1);
		/* What it calls must still be known to be nested. */
		if (!replaces(fn) && !fn->covers)
			return RETURN_UNWANTED;
	}
	if (!fn->ret_insns && return_would_kill(sp)) {
		abandon(ts, fn, id, ptr, LT_CNT_RETURNS_UNSAFE);
		return RETURN_UNWANTED;
	}
	if (!fn->ret_insns && return_would_be_omitted()) {
		abandon(ts, fn, id, ptr, LT_CNT_RETURNS_OMITTED);
		return RETURN_UNWANTED;
	}
	p = pending_push(ts);
	p->sp = sp;
	p->ret = ret;
	p->size = size;
	p->slot = ts->slot;
	p->fn = id;
	p->ptr = ptr;
	p->covers = fn->covers;
	p->pools = fn->pools;
	p->layer = fn->layer;
	p->pool = fn->pools ? argument(ctx, fn->pool_reg) : 0;
	/* Taken at entry: as soon as the allocator has released it, another thread may get the same address. */
	p->has_old = replaces(fn) && p->ptr && !block_take(p->slot, p->layer, p->ptr, &p->old);
	p->site = wanted ? stack_site(ctx, ts, id, sp, ret, method) : LT_NO_SLOT;
	p->at_ret = fn->ret_insns;
	p->used = 1;
	return fn->ret_insns ? RETURN_UNWANTED : RETURN_WANTED;
}

static __always_inline int on_entry(struct pt_regs *ctx, enum stack_method method)
{
	u32 id = bpf_get_attach_cookie(ctx);
	struct lt_fn *fn = bpf_map_lookup_elem(&fns, &id);
	struct task_state *ts;
	u64 sp, ret, ptr;
	bool nested;

	count_hit();
	if (!fn || state.frozen)
		return RETURN_UNWANTED;
	ts = task_enter();
	if (!ts)
		return RETURN_UNWANTED;
	sp = PT_REGS_SP(ctx) + fn->sp_offset;
	ret = return_address(sp);
	ptr = fn->ptr_reg == LT_NO_REG ? 0 : argument(ctx, fn->ptr_reg);
	/* First, as it drops what is stale: also a nested call's return could be taken for that of a call left here. */
	if (pending_is_tail_jump(ts, fn, id, ptr, sp, ret))
		return RETURN_UNWANTED;
	nested = is_nested(ts, fn->module, PT_REGS_IP(ctx) - fn->vaddr, sp, ret);
	if (fn->op == LT_OP_FREE) {
		on_free(ts, fn, id, ptr, sp, ret, nested || ts->below);
		return RETURN_UNWANTED;
	}
	if (!nested && ts->below)
		nested = is_called_below(ctx, ts, sp, ret, ts->below, method);
	/* An allocator that makes larger what the program gave it changes the program's block. */
	if (nested && !(replaces(fn) && is_tracked(ts->slot, fn->layer, ptr)))
		return RETURN_UNWANTED;
	return on_alloc(ctx, ts, fn, id, ptr, sp, ret, method);
}

static __always_inline void alloc_failed(const struct pending *p)
{
	struct lt_site *site = site_get(p->site);
	struct lt_slot *s = slot_get(p->slot);

	if (site) {
		__sync_fetch_and_add(&site->failed, 1);
		site->failed_size = p->size;
	}
	if (s)
		__sync_fetch_and_add(&s->failed, 1);
	event(LT_EVENT_FAILED, p->fn, 0, p->size);
}

/* kept_tag: of the pool that the block was from before. */
static __always_inline void alloc_done(const struct pending *p, u64 address, u16 kept_tag)
{
	struct lt_site *site = site_get(p->site);
	struct lt_slot *s = slot_get(p->slot);
	struct lt_pool_key pool;
	u16 tag = kept_tag;

	if (!site || !s)
		return;
	__sync_fetch_and_add(&s->allocs, 1);
	__sync_fetch_and_add(&s->alloc_bytes, p->size);
	__sync_fetch_and_add(&site->allocs, 1);
	__sync_fetch_and_add(&site->alloc_bytes, p->size);
	if (p->pools) {
		pool_key__init(&pool, p->slot, p->pools, p->pool);
		tag = pool_tag(&pool);
		if (pool_add(&pool, address)) {
			block_lost(p->size);
			return;
		}
	}
	block_born(p->slot, p->layer, address, p->size, site, p->site, tag);
	event(LT_EVENT_BORN, p->fn, address, p->size);
}

/* The old block of a realloc that succeeded is gone; only now do the sums change. */
static __always_inline void release_old(struct pending *p)
{
	if (!p->ptr)
		return;
	if (p->has_old)
		site_sub(&p->old);
	count_free(p->slot, p->has_old);
	event(LT_EVENT_GONE, p->fn, p->ptr, p->has_old ? p->old.size : LT_NO_SIZE);
	p->has_old = 0;
}

/* In its place it is still the pool's that it came from, whoever made it larger. */
static __always_inline void on_new_size(struct pending *p, u64 address)
{
	u16 tag = p->has_old && address == p->ptr ? p->old.pool_tag : 0;

	release_old(p);
	alloc_done(p, address, tag);
}

static __always_inline void on_realloc_return(struct pending *p, const struct lt_fn *fn, u64 result)
{
	if (result) {
		on_new_size(p, result);
	} else if (fn->failed_realloc == LT_FAILED_ZERO_FREES && p->ptr && !p->size) {
		release_old(p);
	} else {
		if (fn->failed_realloc == LT_FAILED_FREES)
			release_old(p);
		alloc_failed(p);
	}
}

/* In place or not at all; that it cannot be is no failure. */
static __always_inline void on_resize_return(struct pending *p, u64 result)
{
	if (result && result >= p->size)
		on_new_size(p, p->ptr);
}

static __always_inline void on_alloc_ptr_return(const struct pending *p, u64 result)
{
	u64 address = 0;

	if ((u32)result) {
		alloc_failed(p);
		return;
	}
	if (bpf_probe_read_user(&address, sizeof(address), (void *)p->ptr) || !address) {
		count(LT_CNT_READS_FAILED, 1);
		return;
	}
	alloc_done(p, address, 0);
}

/*
 * Has a call below this one, by way of a helper that nobody knows, allocated the very block? operator new of the
 * program's own is often so. It was counted there, unless it has been freed again since.
 */
static __always_inline bool was_born_below(const struct task_state *ts, const struct pending *p, u64 address)
{
	return address && ts->born == address && (s32)(ts->born_seq - p->seq) > 0 &&
	       is_tracked(p->slot, p->layer, address);
}

/* What is left to do then: the old block of a realloc is gone, of which the call below did not know. */
static __always_inline void leave_it_below(struct pending *p)
{
	struct lt_slot *s = slot_get(p->slot);

	if (!p->has_old)
		return;
	site_sub(&p->old);
	p->has_old = 0;
	if (s)
		__sync_fetch_and_add(&s->frees_untracked, -1);
}

/* sp is what it was at the entry. */
static __always_inline int on_return(struct pt_regs *ctx, u64 sp, bool at_ret)
{
	u32 id = bpf_get_attach_cookie(ctx);
	struct lt_fn *fn = bpf_map_lookup_elem(&fns, &id);
	struct task_state *ts;
	struct pending *p;
	u64 result;

	count_hit();
	ts = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, 0);
	if (!fn || !ts)
		return 0;
	p = pending_find(ts, id, sp, at_ret);
	if (!p)
		return 0;
	/* The one that was called: it may have ended in a jump to the one that returns. */
	id = p->fn;
	fn = bpf_map_lookup_elem(&fns, &id);
	if (!fn)
		return 0;
	result = PT_REGS_RC(ctx);
	if (was_born_below(ts, p, result)) {
		leave_it_below(p);
		pending_drop(p);
		return 0;
	}
	if (result) {
		ts->born = result;
		ts->born_seq = p->seq;
	}
	if (fn->op == LT_OP_REALLOC)
		on_realloc_return(p, fn, result);
	else if (fn->op == LT_OP_RESIZE)
		on_resize_return(p, result);
	else if (fn->op == LT_OP_ALLOC_PTR)
		on_alloc_ptr_return(p, result);
	else if (result)
		alloc_done(p, result, 0);
	else
		alloc_failed(p);
	pending_drop(p);
	return 0;
}

/* At a return probe the word at the stack pointer has been popped, at a ret instruction not yet. */
static __always_inline int on_return_probe(struct pt_regs *ctx)
{
	return on_return(ctx, PT_REGS_SP(ctx) - sizeof(u64), false);
}

static __always_inline int on_call(struct pt_regs *ctx, enum stack_method method)
{
	if (bpf_get_attach_cookie(ctx) & LT_COOKIE_RET) {
		on_return(ctx, PT_REGS_SP(ctx), true);
		return RETURN_UNWANTED;
	}
	return on_entry(ctx, method);
}

/*
 * The kernel's own test for "is this the return" is a kfunc that changed its signature between 6.18 and 7.2. The probed
 * address serves as well on every kernel that has sessions: at the entry it is the instruction pointer, and no call
 * returns to it, as no call stands before it.
 */
static __always_inline int on_either(struct pt_regs *ctx, enum stack_method method)
{
	if (PT_REGS_IP(ctx) == bpf_get_func_ip(ctx))
		return on_call(ctx, method);
	return on_return_probe(ctx);
}

SEC("?uprobe")
int on_session(struct pt_regs *ctx)
{
	refuse_private_stack(ctx);
	return on_either(ctx, STACK_BY_TABLES);
}

SEC("?uprobe")
int on_enter(struct pt_regs *ctx)
{
	refuse_private_stack(ctx);
	on_call(ctx, STACK_BY_TABLES);
	return 0;
}

/* For kernels whose verifier refuses the walk. */

SEC("?uprobe")
int on_session_fp(struct pt_regs *ctx)
{
	refuse_private_stack(ctx);
	return on_either(ctx, STACK_BY_FRAME_POINTERS);
}

SEC("?uprobe")
int on_enter_fp(struct pt_regs *ctx)
{
	refuse_private_stack(ctx);
	on_call(ctx, STACK_BY_FRAME_POINTERS);
	return 0;
}

SEC("?uretprobe")
int on_leave(struct pt_regs *ctx)
{
	refuse_private_stack(ctx);
	return on_return_probe(ctx);
}

/* A program of its own: it needs bpf_loop() (5.17), without which these functions are not hooked. */
SEC("?uprobe")
int on_reset(struct pt_regs *ctx)
{
	refuse_private_stack(ctx);
	count_hit();
	on_pool_end(ctx);
	return cfg_sessions ? RETURN_UNWANTED : 0;
}
