/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stack: the call stack at a hooked function's entry, its site, and its one trip to user space.
 *
 * Stacks are walked by unwind tables (walk.h). Where the kernel's verifier refuses that, bpf_get_stack() follows frame
 * pointers. At a function's entry its own frame does not exist yet: the direct caller is in the word at the stack
 * pointer, and the helper misses it, except since 6.11 where the probed instruction is "push %rbp" or endbr64 (perf:
 * cfa7f3d2c526 "perf,x86: avoid missing caller address in stack traces captured in uprobe"). So the return address is
 * put in between here unless the helper has found it.
 */
#pragma once

#include "maps.h"
#include "site.h"
#include "walk.h"

enum stack_method { STACK_BY_TABLES, STACK_BY_FRAME_POINTERS };

#define STACK_BYTES ((LT_MAX_FRAMES - 1) * sizeof(u64))

/* The helper writes plain addresses into the upper half of the frames. */
static __always_inline u64 *plain_addresses(struct lt_rec_stack *rec)
{
	return (u64 *)rec->frames + LT_MAX_FRAMES;
}

/*
 * Spread n plain addresses, of which those before `from` are left out, behind the two frames that are there. From the
 * first on: what has been written over was read before.
 */
__noinline u64 spread_frames(struct task_state *ts, u32 n, u32 from, u64 hash)
{
	struct lt_rec_stack *rec;
	u32 i, at;
	u64 pc;

	if (!ts)
		return hash;
	rec = &ts->stack;
	for (i = 2; i < LT_MAX_FRAMES; i++) {
		at = from + i - 2;
		barrier_var(at);
		if (at >= n || at >= LT_MAX_FRAMES - 1)
			break;
		pc = plain_addresses(rec)[at];
		rec->frames[i].pc = pc;
		rec->frames[i].place = 0;
		hash = mix64(hash, pc);
	}
	rec->n = i;
	return hash;
}

/* At least the function and its caller are there. */
static __always_inline u64 follow_frame_pointers(struct pt_regs *ctx, struct task_state *ts, u64 ret, u64 hash)
{
	struct lt_rec_stack *rec = &ts->stack;
	u64 *found = plain_addresses(rec);
	long bytes = bpf_get_stack(ctx, found, STACK_BYTES, BPF_F_USER_STACK);
	u32 n = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;
	/* The helper's first entry is the function itself; the second may be the caller. */
	u32 from = n >= 2 && found[1] == ret ? 2 : 1;

	rec->flags = LT_STACK_GUESSED;
	rec->interrupted[0] = rec->interrupted[1] = 0;
	rec->end = n >= LT_MAX_FRAMES - 1 ? LT_END_DEEP : LT_END_WHOLE;
	rec->frames[0].pc = PT_REGS_IP(ctx);
	rec->frames[1].pc = ret;
	rec->frames[0].place = rec->frames[1].place = 0;
	return spread_frames(ts, n, from, mix64(hash, ret));
}

static __always_inline u32 record_bytes(const struct lt_rec_stack *rec)
{
	u32 bytes = sizeof(*rec) - sizeof(rec->frames) + rec->n * sizeof(rec->frames[0]);

	return bytes > sizeof(*rec) ? sizeof(*rec) : bytes;
}

__noinline int copy_replaced(struct lt_rec_partial *out)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct return_instance *ri;
	u32 i;

	if (!out)
		return 0;
	ri = BPF_CORE_READ(task, utask, return_instances);
	for (i = 0; i < LT_PARTIAL_REPLACED && ri; i++) {
		out->replaced[i].at = BPF_CORE_READ(ri, stack);
		out->replaced[i].was = BPF_CORE_READ(ri, orig_ret_vaddr);
		ri = BPF_CORE_READ(ri, next);
	}
	out->n_replaced = i;
	return 0;
}

#define PAGE 4096u

/* As much as is there: what is left of the page, then whole pages. A read that fails has left the stack. */
static __always_inline u32 copy_stack(u8 *to, u32 pages, u64 sp)
{
	u32 head = -sp & (PAGE - 1), n, i;

	barrier_var(head);
	head &= PAGE - 1;
	if (bpf_probe_read_user(to, head, (void *)sp))
		return 0;
	n = head;
	for (i = 0; i < pages - 1; i++) {
		if (bpf_probe_read_user(to + head + i * PAGE, PAGE, (void *)(sp + head + i * PAGE)))
			break;
		n += PAGE;
	}
	return n;
}

/* What user space can finish: the walk met what the tables do not know, not memory that cannot be read. */
static __always_inline bool wants_finish(const struct lt_rec_stack *rec)
{
	return rec->end == LT_END_UNMAPPED || rec->end == LT_END_NO_RULE || rec->end == LT_END_SIGNAL ||
	       rec->end == LT_END_STALE;
}

/* sp is the stack pointer as it was at the entry: user space walks from there. */
static __always_inline bool send_partial(struct pt_regs *ctx, struct task_state *ts, u64 sp)
{
	struct lt_rec_partial *out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);

	if (!out)
		return false;
	ts->stack.type = LT_REC_PARTIAL;
	bpf_probe_read_kernel(&out->stack, sizeof(out->stack), &ts->stack);
	copy_registers(out, ctx);
	out->regs[LT_PARTIAL_SP] = sp;
	copy_replaced(out);
	out->stale = ts->walk.stale;
	out->n_near = copy_stack(out->near, LT_PARTIAL_NEAR / PAGE, sp);
	/* User space walks from the start, so a gap helps only where the walk stopped on another stack. */
	out->far_sp = ts->walk.sp;
	if (out->far_sp - sp < LT_PARTIAL_NEAR + LT_PARTIAL_FAR)
		out->far_sp = sp + out->n_near;
	out->n_far = copy_stack(out->far, LT_PARTIAL_FAR / PAGE, out->far_sp);
	bpf_ringbuf_submit(out, 0);
	return true;
}

static __always_inline bool send_whole(struct task_state *ts)
{
	ts->stack.type = LT_REC_STACK;
	/* The usual wake-up: only when the reader has caught up, so that it meets the mappings of a new stack early. */
	return !bpf_ringbuf_output(&ring, &ts->stack, record_bytes(&ts->stack), 0);
}

/* Send the stack of a new site; if the ring is full now, the site's next allocation tries again. */
static __always_inline void stack_send(struct pt_regs *ctx, struct task_state *ts, u64 sp, u32 id)
{
	struct lt_site *site = site_get(id);

	if (!site || site->flags)
		return;
	ts->stack.slot = ts->slot;
	ts->stack.site = id;
	if (wants_finish(&ts->stack) ? send_partial(ctx, ts, sp) : send_whole(ts))
		site->flags = LT_SITE_SENT;
}

/* Words of the stack above sp that are looked at, and how many at a time. */
#define PRINT_WORDS 512
#define PRINT_STEP  8

/* Mix in word if it may be a return address. */
__noinline u64 print_word(struct task_state *ts, u64 hash, u64 word)
{
	struct lt_mapping *m;

	if (!ts)
		return hash;
	m = find_mapping(&ts->walk, word);
	return m && m->kind != LT_MAPPING_HOLE ? mix64(hash, word) : hash;
}

/*
 * A fingerprint of the callers beyond the end of a walk that user space will finish: all words that may be return
 * addresses. Some of them are old ones: one stack then has several sites, which user space joins. Without it, callers
 * that differ would be one site for good.
 */
static __always_inline u64 print_callers(struct task_state *ts, u64 hash)
{
	u64 words[PRINT_STEP], sp = ts->walk.sp, low;
	u32 first = ts->walk.first, last = first + ts->walk.n - 1, i, j;
	struct lt_mapping *begin = bpf_map_lookup_elem(&mappings, &first);
	struct lt_mapping *end = bpf_map_lookup_elem(&mappings, &last);

	if (!ts->walk.n || !begin || !end)
		return hash;
	low = begin->start;
	for (i = 0; i < PRINT_WORDS / PRINT_STEP; i++) {
		if (bpf_probe_read_user(words, sizeof(words), (void *)(sp + i * sizeof(words))))
			break;
		/* Most are far from all code. */
		for (j = 0; j < PRINT_STEP; j++) {
			if (words[j] - low < end->start - low)
				hash = print_word(ts, hash, words[j]);
		}
	}
	return hash;
}

/* A library may have been replaced by another at the same address: what is known of one does not hold for the other. */
static __always_inline u64 hash_unfinished(struct task_state *ts, u64 hash, u64 sp)
{
	hash = mix64(hash, sp);
	/* Which may be all there is, if mappings were in doubt. */
	hash = mix64(hash, ts->stack.frames[1].pc);
	hash = mix64(hash, ts->walk.stale);
	return print_callers(ts, hash);
}

/* Is it one of the return addresses of the stack that was walked? */
__noinline int stack_has(struct task_state *ts, u64 pc)
{
	u32 i;

	if (!ts)
		return 0;
	for (i = 1; i < LT_MAX_FRAMES && i < ts->stack.n; i++) {
		if (ts->stack.frames[i].pc == pc)
			return 1;
	}
	return 0;
}

/* Does a call that returns to `outer` wait for the one that returns to ret, the word at sp? */
static __always_inline bool is_called_below(struct pt_regs *ctx, struct task_state *ts, u64 sp, u64 ret, u64 outer,
					    enum stack_method method)
{
	if (method == STACK_BY_FRAME_POINTERS)
		follow_frame_pointers(ctx, ts, ret, 0);
	else
		walk(ts, ctx, space_of(ts->slot), sp, ret, 0);
	return stack_has(ts, outer);
}

/*
 * The site of an allocation by function fn that returns to ret, a word at sp. A stack that user space finishes is told
 * from others by what was walked, where on the stack it is, and by what looks like callers beyond.
 */
static __always_inline u32 stack_site(struct pt_regs *ctx, struct task_state *ts, u16 fn, u64 sp, u64 ret,
				      enum stack_method method)
{
	u64 seed = mix64(ts->slot, fn);
	u32 id;

	if (method == STACK_BY_FRAME_POINTERS) {
		seed = follow_frame_pointers(ctx, ts, ret, seed);
	} else {
		walk(ts, ctx, space_of(ts->slot), sp, ret, seed);
		seed = ts->walk.hash;
		if (ts->stack.end != LT_END_WHOLE) {
			count(LT_CNT_ENDS + ts->stack.end, 1);
			seed = mix64(seed, ts->stack.end);
		}
		if (wants_finish(&ts->stack))
			seed = hash_unfinished(ts, seed, sp);
	}
	id = site_find(seed, ts->slot, fn);
	stack_send(ctx, ts, sp, id);
	return id;
}
