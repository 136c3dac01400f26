/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walk: a call stack by the unwind tables of user space (unwind_abi.h), hashed while it is walked.
 *
 * The hash is over places, not addresses: (file, pc in the file) where a file is mapped, the pc itself elsewhere. So a
 * site stays one site when its library is loaded at another address, and another library at the same address makes
 * another site.
 *
 * Functions that are not static are verified once each, whatever the number of frames.
 */
#pragma once

#include "maps.h"
#include "walk_vma.h"
#include "walk_x86.h"

#define MAPPING_STEPS 16 /* halvings of LT_MAX_MAPPINGS */
#define ROW_STEPS     24 /* and of the rows of one file */

#define MAX_URETPROBE_DEPTH 64 /* include/linux/uprobes.h; so many return probes wait in a thread at most */

#define RULE_GUESS lt_rule_pack(LT_RULE_GUESS, 2, 2)

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

/* The last of the mappings that starts at or below pc. */
static __always_inline struct lt_mapping *find_mapping(const struct walk *w, u64 pc)
{
	u32 low = w->first, high = w->first + w->n, at;
	struct lt_mapping *m;
	int i;

	for (i = 0; i < MAPPING_STEPS && low < high; i++) {
		at = (low + high) >> 1;
		m = bpf_map_lookup_elem(&mappings, &at);
		if (!m)
			return NULL;
		if (m->start <= pc)
			low = at + 1;
		else
			high = at;
	}
	if (low == w->first)
		return NULL;
	at = low - 1;
	return bpf_map_lookup_elem(&mappings, &at);
}

/* A pc before the first row has no unwind information, like one in a gap. */
static __always_inline u32 find_rule(u32 first, u32 n, u32 pc)
{
	u32 low = first, high = first + n, at;
	struct lt_row *row;
	int i;

	for (i = 0; i < ROW_STEPS && low < high; i++) {
		at = (low + high) >> 1;
		row = bpf_map_lookup_elem(&rows, &at);
		if (!row)
			return LT_RULE_NONE;
		if (row->pc <= pc)
			low = at + 1;
		else
			high = at;
	}
	if (low == first)
		return RULE_GUESS;
	at = low - 1;
	row = bpf_map_lookup_elem(&rows, &at);
	return row ? row->rule : LT_RULE_NONE;
}

static __always_inline int use_mapping(struct walk *w, const struct lt_mapping *m, u64 pc)
{
	w->place = m->file ? lt_place(m->file, pc - m->bias) : pc | LT_PLACE_PC;
	w->rule = m->n			       ? find_rule(m->first, m->n, (u32)(pc - m->bias))
		  : m->kind == LT_MAPPING_FULL ? (u32)LT_RULE_NONE
					       : RULE_GUESS;
	return 0;
}

/* Fill in rule and place of pc as the kernel has it mapped. 0 or enum lt_stack_end. */
__noinline int walk_ask(struct task_state *ts, u64 pc)
{
	struct found_vma vma = {};
	struct lt_mapping *m;
	struct lt_file *file;
	struct walk *w;
	bool known;
	long err;

	if (!ts)
		return LT_END_UNMAPPED;
	w = &ts->walk;
	w->asked = 1;
	err = bpf_find_vma(bpf_get_current_task_btf(), pc, look_at_vma, &vma, 0);
	if (err == -2 /* ENOENT */ || (!err && !vma.executable))
		return LT_END_IMPLAUSIBLE;
	/* Somebody changes the mappings just now: the lock is taken. */
	if (err)
		return LT_END_UNMAPPED;
	if (!vma.file.inode) {
		m = find_mapping(w, pc);
		if (m && m->kind == LT_MAPPING_VDSO)
			return use_mapping(w, m, pc);
		w->place = pc | LT_PLACE_PC;
		w->rule = RULE_GUESS;
		return 0;
	}
	file = bpf_map_lookup_elem(&files, &vma.file);
	if (!file && vma.user_file.inode)
		file = bpf_map_lookup_elem(&files, &vma.user_file);
	if (!file)
		return LT_END_UNMAPPED;
	pc = pc_in_file(file, &vma, pc, &known);
	if (!known)
		return LT_END_UNMAPPED;
	w->place = lt_place(file->file, pc);
	w->rule = file->n_segments ? find_rule(file->first, file->n, (u32)pc) : RULE_GUESS;
	return 0;
}

/* Fill in rule and place of pc. 0, or enum lt_stack_end when it lies in nothing that is known. */
__noinline int walk_lookup(struct task_state *ts, u64 pc)
{
	struct lt_mapping *m;
	struct walk *w;

	if (!ts)
		return LT_END_UNMAPPED;
	w = &ts->walk;
	m = w->doubtful ? NULL : find_mapping(w, pc);
	if (m && m->kind != LT_MAPPING_HOLE)
		return use_mapping(w, m, pc);
	return cfg_find_vma ? walk_ask(ts, pc) : LT_END_UNMAPPED;
}

/* As walk_lookup(), but most places were looked up before. */
static __always_inline int walk_rule(struct task_state *ts, struct walk *w, u64 pc)
{
	u64 h = (pc ^ (u64)w->generation << 40) * 0x9e3779b97f4a7c15ull, rule, place;
	u32 slot = h >> (64 - CACHED_RULES_BITS), check;
	struct cached_rule *cached = bpf_map_lookup_elem(&rules, &slot);
	int end;

	if (!cached || w->doubtful)
		return walk_lookup(ts, pc);
	check = (u32)(h >> 16) ^ w->generation;
	rule = *(volatile u64 *)&cached->rule;
	place = *(volatile u64 *)&cached->place;
	if (*(volatile u64 *)&cached->pc == pc && (u32)rule == (check ^ (u32)place ^ (u32)(place >> 32))) {
		w->rule = rule >> 32;
		w->place = place;
		return 0;
	}
	w->asked = 0;
	end = walk_lookup(ts, pc);
	/* What the kernel was asked for is not what the generation stands for. */
	if (end || w->asked)
		return end;
	check ^= (u32)w->place ^ (u32)(w->place >> 32);
	*(volatile u64 *)&cached->pc = pc;
	*(volatile u64 *)&cached->place = w->place;
	*(volatile u64 *)&cached->rule = (u64)w->rule << 32 | check;
	return 0;
}

/*
 * The original of a word that a return probe has replaced by the address of its trampoline, the start of the [uprobes]
 * page. The kernel keeps a list of them, found here by the word's address and not by order, because a tail jump makes
 * two probes share one word (kernel/events/uprobes.c, prepare_uretprobe()). Other words are returned as they are.
 */
__noinline u64 original_return(u64 at, u64 word)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct return_instance *ri = BPF_CORE_READ(task, utask, return_instances);
	int i;

	for (i = 0; i < MAX_URETPROBE_DEPTH && ri; i++) {
		if (BPF_CORE_READ(ri, stack) == at)
			return BPF_CORE_READ(ri, orig_ret_vaddr);
		ri = BPF_CORE_READ(ri, next);
	}
	return word;
}

#define MAY_BE_TRAMPOLINE(word) (!((word)&0xfff))

static __always_inline int walk_push(struct task_state *ts, const struct walk *w)
{
	u32 n = ts->stack.n;

	if (n >= LT_MAX_FRAMES)
		return LT_END_DEEP;
	ts->stack.frames[n].pc = w->ip;
	ts->stack.frames[n].place = 0;
	if (!w->after_call)
		ts->stack.interrupted[n >> 6 & 1] |= 1ull << (n & 63);
	ts->stack.n = n + 1;
	return 0;
}

/* One frame. 0 go on, 1 the walk has ended: ts->stack.end says how. */
__noinline int walk_step(struct task_state *ts)
{
	struct walk *w;
	u32 last;
	int end;
	u64 pc;

	if (!ts)
		return 1;
	w = &ts->walk;
	pc = w->ip - (w->after_call & 1);
	end = walk_rule(ts, w, pc);
	/* Code that begins here: no call has returned to it, it was entered by a return, as coroutines and JIT code
	 * are. */
	if (end && pc != w->ip && !walk_lookup(ts, w->ip)) {
		end = 0;
		pc = w->ip;
	}
	if (end) {
		/* No code, or a guess, which may be any word: it must not make a site of its own. */
		if ((w->guessed || end == LT_END_IMPLAUSIBLE) && ts->stack.n)
			ts->stack.n--;
		else
			w->hash = mix64(w->hash, pc);
		ts->stack.end = end;
		return 1;
	}
	w->hash = mix64(w->hash, w->place);
	last = ts->stack.n - 1;
	if (last < LT_MAX_FRAMES)
		ts->stack.frames[last].place = w->place + (w->ip - pc);
	if (!(w->after_call & 1) && w->rule & LT_RULE_INEXACT) {
		ts->stack.end = LT_END_SIGNAL;
		return 1;
	}
	end = step_arch(ts, w, pc);
	if (!end) {
		if (MAY_BE_TRAMPOLINE(w->ip) && w->after_call)
			w->ip = original_return(w->sp - sizeof(u64), w->ip);
		end = walk_push(ts, w);
	}
	if (!end)
		return 0;
	ts->stack.end = end < 0 ? LT_END_WHOLE : end;
	return 1;
}

/* What the tables of a space are now. True when they have changed since w was filled in. */
static __always_inline bool read_space(struct walk *w, struct lt_space *space)
{
	u32 stale = *(volatile u32 *)&space->stale, generation = *(volatile u32 *)&space->generation;
	u64 range = *(volatile u64 *)&space->range;
	bool changed = stale != w->stale || generation != w->generation;

	w->stale = stale;
	w->generation = generation;
	w->doubtful = *(volatile u32 *)&space->fresh != stale;
	w->first = (u32)range;
	w->n = range >> 32;
	return changed;
}

/* The caller's state, as at the entry of a function that returns to ret, the word at sp. */
static __always_inline void walk_begin(struct task_state *ts, struct pt_regs *ctx, u64 sp, u64 ret, u64 seed)
{
	struct walk *w = &ts->walk;

	ts->stack.n = 2;
	ts->stack.end = LT_END_STALE;
	ts->stack.flags = 0;
	ts->stack.interrupted[0] = ts->stack.interrupted[1] = 0;
	ts->stack.frames[0].pc = PT_REGS_IP(ctx);
	ts->stack.frames[1].pc = ret;
	ts->stack.frames[0].place = ts->stack.frames[1].place = 0;
	w->hash = seed;
	w->ip = ret;
	w->sp = sp + sizeof(u64);
	w->fp = PT_REGS_FP(ctx);
	w->after_call = 1;
	w->guessed = 0;
}

#define WALK_TRIES 2

/*
 * Walk from the entry of a function, which returns to ret, the word at sp, into ts->stack. If the tables change
 * meanwhile, once more: what a walk has met may have been others' in the middle of it.
 */
static __always_inline void walk(struct task_state *ts, struct pt_regs *ctx, u32 space_id, u64 sp, u64 ret, u64 seed)
{
	struct lt_space *space = bpf_map_lookup_elem(&spaces, &space_id);
	struct walk *w = &ts->walk;
	int tries, i;

	walk_begin(ts, ctx, sp, ret, seed);
	w->stale = LT_NO_EPOCH;
	w->generation = w->first = w->n = 0;
	if (!space)
		return;
	read_space(w, space);
	for (tries = 0; tries < WALK_TRIES; tries++) {
		if (w->doubtful && !cfg_find_vma)
			return;
		for (i = 0; i < LT_MAX_FRAMES; i++) {
			if (walk_step(ts))
				break;
		}
		if (!read_space(w, space))
			return;
		walk_begin(ts, ctx, sp, ret, seed);
	}
}
