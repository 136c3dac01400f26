/* SPDX-License-Identifier: GPL-2.0-only */
/* event: each block that comes and goes, told as it happens (-t). Not a record: sums do not depend on it. */
#pragma once

#include "identity.h"
#include "maps.h"

/* Nobody is woken for one: a wake-up costs more than the event, so user space looks every now and then. */
static __noinline void event_send(u32 kind, u32 fn, u64 address, u64 size)
{
	struct lt_event e = {
		.time_ns = bpf_ktime_get_ns(),
		.address = address,
		.size = size,
		.fn = fn,
		.kind = kind,
	};
	struct task_struct *task = bpf_get_current_task_btf();

	e.pid = pid_of(BPF_CORE_READ(task, group_leader));
	e.tid = pid_of(task);
	if (bpf_ringbuf_output(&events, &e, sizeof(e), BPF_RB_NO_WAKEUP))
		count(LT_CNT_EVENTS_DROPPED, 1);
}

static __always_inline void event(u32 kind, u32 fn, u64 address, u64 size)
{
	if (cfg_events)
		event_send(kind, fn, address, size);
}
