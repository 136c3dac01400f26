/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pending: hooked calls of a thread that have not returned yet, and the rule that nested calls count once.
 *
 * A return belongs to the entry with the same stack pointer and function, never simply to the last one: a signal
 * handler may allocate in between (also on a stack of its own), and longjmp() out of a hooked function leaves an entry
 * behind. Two live frames cannot share a stack pointer, so an entry found at the stack pointer of a new call is stale,
 * unless the new call is its tail jump.
 */
#pragma once

#include "maps.h"
#include "identity.h"
#include "block.h"
#include "walk.h"

/* The return address of the call whose entry is probed. */
static __noinline u64 return_address(u64 sp)
{
	u64 ret = 0;

	if (bpf_probe_read_user(&ret, sizeof(ret), (void *)sp)) {
		count(LT_CNT_READS_FAILED, 1);
		return 0;
	}
	return MAY_BE_TRAMPOLINE(ret) ? original_return(sp, ret) : ret;
}

/*
 * Would a return probe on a call with this stack pointer kill the task? The kernel takes return probes that wait at
 * lower addresses for left behind by longjmp() and forgets them (arch_uretprobe_is_alive()). On an alternate signal
 * stack above the interrupted one it forgets a live one so, and the interrupted function then returns into nothing:
 * SIGILL.
 */
static __noinline bool return_would_kill(u64 sp)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 base = task->sas_ss_sp, size = task->sas_ss_size, stack;
	struct return_instance *ri;
	int i;

	if (!size || sp - base > size)
		return false;
	ri = BPF_CORE_READ(task, utask, return_instances);
	for (i = 0; i < MAX_URETPROBE_DEPTH && ri; i++) {
		stack = BPF_CORE_READ(ri, stack);
		if (stack < base)
			return true;
		ri = BPF_CORE_READ(ri, next);
	}
	return false;
}

/*
 * Return probes of all tracers together that wait in one thread. The kernel makes no more of them, without a word to
 * the probe at the entry (prepare_uretprobe()).
 */
static __always_inline bool return_would_be_omitted(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return BPF_CORE_READ(task, utask, depth) >= MAX_URETPROBE_DEPTH;
}

#define RANGE_STEPS 10 /* halvings of LT_MAX_RANGES, and one */

/* Does the allocator's own code in a module have this address, as the module numbers them? */
static __noinline bool is_allocators(u32 module, u64 at)
{
	struct lt_module *m = bpf_map_lookup_elem(&modules, &module);
	u32 low = 0, high, middle;
	int i;

	if (!m)
		return false;
	/* Which of the ranges starts at or below? */
	high = m->n;
	for (i = 0; i < RANGE_STEPS && low < high; i++) {
		middle = (low + high) >> 1;
		barrier_var(middle);
		if (middle >= LT_MAX_RANGES)
			return false;
		if (m->ranges[middle].start <= at)
			low = middle + 1;
		else
			high = middle;
	}
	low--;
	barrier_var(low);
	return low < LT_MAX_RANGES && at < m->ranges[low].end;
}

/* Where a library was that has been unloaded, there may be another's code by now. */
static __always_inline void forget_unloaded(struct task_state *ts)
{
	u32 id = space_of(ts->slot);
	struct lt_space *space = bpf_map_lookup_elem(&spaces, &id);

	if (!space || space->stale == ts->entered_stale)
		return;
	__builtin_memset(ts->entered, 0, sizeof(ts->entered));
	ts->entered_stale = space->stale;
}

/* The thread is in a module, where it is loaded now. */
static __always_inline void enter_module(struct task_state *ts, u32 module, u64 bias)
{
	struct entered *e;
	int i;

#pragma unroll
	for (i = 0; i < LT_ENTERED; i++) {
		e = &ts->entered[i];
		if (e->used && e->module == module && e->bias == bias)
			return;
	}
	e = &ts->entered[ts->n_entered++ & (LT_ENTERED - 1)];
	e->module = module;
	e->bias = bias;
	e->used = 1;
}

/* Is a call with this frame under way still, and was not left by a long jump? Then its return address is in place. */
static __always_inline bool is_active(u64 sp, u64 ret)
{
	return return_address(sp) == ret;
}

/*
 * Is the thread in a hooked call? Of one that releases that is not known, as its return is not watched. *below: the
 * return address of the innermost one below which all is its own; 0: there is none. It may have been left by an
 * exception, and the word be a rest of it.
 */
static __noinline bool is_in_hooked_call(struct task_state *ts, u64 sp)
{
	bool in = ts->free_sp > sp;
	u64 innermost = ~0ull;
	int i;

	ts->below = 0;
#pragma unroll
	for (i = 0; i < LT_PENDING; i++) {
		const struct pending *p = &ts->pending[i];

		if (!p->used || p->sp <= sp)
			continue;
		in = true;
		if (p->covers && p->sp < innermost && is_active(p->sp, p->ret)) {
			innermost = p->sp;
			ts->below = p->ret;
		}
	}
	return in;
}

/*
 * Does the call come from inside an allocator? From that of the function that is called; or from another that this
 * thread is in, as malloc() from operator new, and that perhaps from one more. Not from a handler that such a function
 * calls, or a signal's: what these allocate is the program's. ts->below: as above, where it is not known to.
 */
static __noinline bool is_nested(struct task_state *ts, u32 module, u64 bias, u64 sp, u64 ret)
{
	u32 i;

	ts->below = 0;
	forget_unloaded(ts);
	enter_module(ts, module, bias);
	if (is_allocators(module, ret - bias))
		return true;
	if (!is_in_hooked_call(ts, sp))
		return false;
	for (i = 0; i < LT_ENTERED; i++) {
		const struct entered *e = &ts->entered[i];

		if (e->used && e->module != module && is_allocators(e->module, ret - e->bias))
			return true;
	}
	return false;
}

/* A call that releases is under way: what it calls is told by that. */
static __always_inline void enter_release(struct task_state *ts, u32 id, u64 ptr, u64 sp, u64 ret)
{
	ts->free_sp = sp;
	ts->free_ret = ret;
	ts->free_ptr = ptr;
	ts->free_fn = id;
}

/* The entry is given up. What it took from the block map goes back. */
static __always_inline void pending_drop(struct pending *p)
{
	if (p->has_old)
		block_restore(p->slot, p->layer, p->ptr, &p->old);
	p->used = 0;
	p->has_old = 0;
}

/*
 * True when this call is the tail jump of a pending one, which counts it already. A function that releases is jumped to
 * with the same pointer only: a free() where a realloc() was left by a long jump is another call, of the same callback.
 * What is stale is dropped on the way.
 */
static __always_inline bool pending_is_tail_jump(struct task_state *ts, const struct lt_fn *fn, u32 id, u64 ptr, u64 sp,
						 u64 ret)
{
	bool releases = fn->op == LT_OP_FREE || fn->op == LT_OP_REALLOC || fn->op == LT_OP_RESIZE, tail = false;
	int i;

#pragma unroll
	for (i = 0; i < LT_PENDING; i++) {
		struct pending *p = &ts->pending[i];
		struct evicted *e = &ts->evicted[i];

		if (e->sp == sp && e->fn == id)
			e->used = 0;
		if (!p->used || p->sp != sp)
			continue;
		if (p->fn != id && p->ret == ret && (!releases || p->ptr == ptr))
			tail = true;
		else
			pending_drop(p);
	}
	return tail;
}

/* Remember that this entry makes room for another. Should all be taken, the return of an earlier one goes uncounted. */
static __always_inline void pending_evict(struct task_state *ts, struct pending *p)
{
	struct evicted *e = &ts->evicted[p->seq & (LT_PENDING - 1)];
	int i;

#pragma unroll
	for (i = 0; i < LT_PENDING; i++) {
		if (!ts->evicted[i].used) {
			e = &ts->evicted[i];
			break;
		}
	}
	e->sp = p->sp;
	e->fn = p->fn;
	e->at_ret = p->at_ret;
	e->used = 1;
	pending_drop(p);
}

/* A free entry for a new call; the oldest one makes room if all are taken, and is remembered as evicted. */
static __always_inline struct pending *pending_push(struct task_state *ts)
{
	struct pending *oldest = &ts->pending[0];
	int i;

#pragma unroll
	for (i = 0; i < LT_PENDING; i++) {
		struct pending *p = &ts->pending[i];

		if (!p->used) {
			oldest = p;
			break;
		}
		if ((s32)(p->seq - oldest->seq) < 0)
			oldest = p;
	}
	if (oldest->used)
		pending_evict(ts, oldest);
	oldest->seq = ts->seq++;
	return oldest;
}

/*
 * The entry that returns now, or NULL: ignored as nested, entered before the attach, or evicted (counted). At a ret
 * instruction it may be another function's: one that ended in a jump to this.
 */
static __always_inline struct pending *pending_find(struct task_state *ts, u32 fn, u64 sp, bool at_ret)
{
	int i;

#pragma unroll
	for (i = 0; i < LT_PENDING; i++) {
		struct pending *p = &ts->pending[i];

		if (p->used && p->sp == sp && (p->fn == fn || (at_ret && p->at_ret)))
			return p;
	}
#pragma unroll
	for (i = 0; i < LT_PENDING; i++) {
		struct evicted *e = &ts->evicted[i];

		if (e->used && e->sp == sp && (e->fn == fn || (at_ret && e->at_ret))) {
			e->used = 0;
			count(LT_CNT_RETURNS_UNMATCHED, 1);
			break;
		}
	}
	return NULL;
}
