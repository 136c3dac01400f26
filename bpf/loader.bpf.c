/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loader: the target's dynamic loader tells debuggers, by a call of the empty function _dl_debug_state(), what it is
 * about to do to its list of libraries (glibc elf/dl-debug.c, r_debug in <link.h>). It is told before a library is
 * unmapped, so tables can be marked as stale in time, and after one was mapped and before its constructors run, so that
 * its table is there when they allocate.
 */
#include "maps.h"
#include "identity.h"

#define R_STATE 24 /* offsetof(struct r_debug, r_state) */

static __always_inline void mark_stale(struct lt_space *space)
{
	__sync_fetch_and_add(&space->stale, 1);
}

/*
 * A notice without its first half, as when the trace began in between, may be that of anything. What is loaded takes
 * addresses that were free, or that a JIT compiler has given back without a word to anyone.
 */
static __always_inline void on_state(struct lt_space *space, u32 now)
{
	u32 before = space->link_state;

	space->link_state = now;
	if (now == LT_LINK_CONSISTENT && before == LT_LINK_ADD)
		return;
	if (now != LT_LINK_ADD || space->has_plain)
		mark_stale(space);
}

/* The cookie is the distance from the function to the loader's r_debug; 0: unknown (musl, which unmaps nothing). */
static __always_inline void on_notice(struct pt_regs *ctx)
{
	u64 distance = bpf_get_attach_cookie(ctx);
	u32 now = LT_LINK_CONSISTENT, id;
	struct task_state *ts = task_enter();
	struct lt_space *space;

	if (!ts)
		return;
	id = space_of(ts->slot);
	space = bpf_map_lookup_elem(&spaces, &id);
	if (space && distance) {
		if (bpf_probe_read_user(&now, sizeof(now), (void *)(PT_REGS_IP(ctx) + distance + R_STATE)))
			now = LT_LINK_UNKNOWN;
		on_state(space, now);
	}
	/* Before a library is unmapped there is nothing new to read. */
	if (now != LT_LINK_ADD && now != LT_LINK_DELETE)
		send_process(LT_REC_LOADED, ts->slot, current_pid());
}

SEC("?uprobe")
int on_loader(struct pt_regs *ctx)
{
	refuse_private_stack(ctx);
	count_hit();
	on_notice(ctx);
	return cfg_sessions ? RETURN_UNWANTED : 0;
}
