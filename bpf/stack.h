/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stack: the call stack at a hooked function's entry, its hash, and its one trip to user space.
 *
 * The walk is bpf_get_stack(), which follows frame pointers. At a function's entry its own frame does not exist yet:
 * the direct caller is in the word at the stack pointer, and the helper misses it, except since 6.11 where the probed
 * instruction is "push %rbp" or endbr64 (perf: cfa7f3d2c526 "perf,x86: avoid missing caller address in stack traces
 * captured in uprobe"). So the return address is put in between here unless the helper has found it.
 */
#pragma once

#include "maps.h"
#include "site.h"

#define STACK_BYTES ((LT_MAX_FRAMES - 1) * sizeof(u64))

static __always_inline u64 mix64(u64 h, u64 v)
{
	/* The finalizer of MurmurHash3 (public domain, A. Appleby) over a running xor. */
	h ^= v;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 33;
}

static __noinline u64 stack_hash(struct lt_rec_stack *rec, u64 seed)
{
	u32 i, at;

	for (i = 0; i < LT_MAX_FRAMES; i++) {
		if (i >= rec->n)
			break;
		at = (rec->start + i) & LT_MAX_FRAMES;
		seed = mix64(seed, rec->frames[at]);
	}
	return seed;
}

/* Walk the stack into ts->stack. At least the function and its caller are there. */
static __always_inline void stack_walk(struct pt_regs *ctx, struct task_state *ts, u64 ret)
{
	struct lt_rec_stack *rec = &ts->stack;
	long bytes;
	u32 n;

	/* frames[0] is kept free: with the function in [0] and its caller in [1] the helper's first entry is replaced.
	 */
	bytes = bpf_get_stack(ctx, &rec->frames[1], STACK_BYTES, BPF_F_USER_STACK);
	n = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
	if (n >= 2 && rec->frames[2] == ret) {
		rec->start = 1;
		rec->n = n;
	} else {
		rec->frames[0] = PT_REGS_IP(ctx);
		rec->frames[1] = ret;
		rec->start = 0;
		rec->n = n ? n + 1 : 2;
	}
}

/* Send the stack of a new site; if the ring is full now, the site's next allocation tries again. */
static __always_inline void stack_send(struct task_state *ts, u32 id)
{
	struct lt_site *site = site_get(id);
	u32 bytes;

	if (!site || site->flags)
		return;
	ts->stack.type = LT_REC_STACK;
	ts->stack.slot = ts->slot;
	ts->stack.site = id;
	bytes = sizeof(ts->stack) - sizeof(ts->stack.frames) + (ts->stack.start + ts->stack.n) * sizeof(u64);
	if (bytes > sizeof(ts->stack))
		bytes = sizeof(ts->stack);
	/* The usual wake-up: only when the reader has caught up, so that it meets the mappings of a new stack early. */
	if (!bpf_ringbuf_output(&ring, &ts->stack, bytes, 0))
		site->flags = LT_SITE_SENT;
}

/* The site of an allocation by function fn that returns to ret. */
static __always_inline u32 stack_site(struct pt_regs *ctx, struct task_state *ts, u16 fn, u64 ret)
{
	u64 hash;
	u32 id;

	stack_walk(ctx, ts, ret);
	hash = stack_hash(&ts->stack, mix64(ts->slot, fn));
	id = site_find(hash, ts->slot, fn);
	stack_send(ts, id);
	return id;
}
