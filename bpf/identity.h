/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * identity: which address space does the running task belong to?
 *
 * A slot is found by (thread group, start of its leader, exec count): exec gives a new one, a reused pid too. Threads
 * remember theirs in task storage, so the look-up happens once a thread and exec.
 */
#pragma once

#include "maps.h"

#define MAX_PID_NS_LEVEL 32 /* include/linux/pid_namespace.h */

static __always_inline struct lt_slot *slot_get(u32 slot)
{
	return bpf_map_lookup_elem(&slots, &slot);
}

/*
 * A task's number in the tracer's pid namespace; 0: not visible there. A task of a container has one number in each
 * namespace from its own to the host's; bpf_get_ns_current_pid_tgid() knows only the innermost.
 */
static __noinline u32 pid_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	u32 i, level = BPF_CORE_READ(pid, level);
	struct upid upid;

	for (i = 0; i < MAX_PID_NS_LEVEL + 1 && i <= level; i++) {
		bpf_core_read(&upid, sizeof(upid), &pid->numbers[i]);
		if (BPF_CORE_READ(upid.ns, ns.inum) == cfg_pidns)
			return upid.nr;
	}
	return 0;
}

/* The thread group id of the current task. */
static __always_inline u32 current_pid(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return pid_of(BPF_CORE_READ(task, group_leader));
}

/* About the process of the current task. */
static __always_inline long send_process(u32 type, u32 slot, u32 pid)
{
	struct lt_rec_process rec = {.type = type, .slot = slot, .pid = pid, .time_ns = bpf_ktime_get_ns()};
	struct task_struct *leader = BPF_CORE_READ(bpf_get_current_task_btf(), group_leader);
	long err;

	rec.exec_id = BPF_CORE_READ(leader, self_exec_id);
	rec.start_boottime = BPF_CORE_READ(leader, start_boottime);
	bpf_core_read(rec.comm, sizeof(rec.comm), &leader->comm);
	err = bpf_ringbuf_output(&ring, &rec, sizeof(rec), BPF_RB_FORCE_WAKEUP);
	if (err)
		count(LT_CNT_RECORDS_DROPPED, 1);
	return err;
}

/*
 * User space must hear of a slot before it hears of a stack in it. The thread that made the slot may be preempted
 * before it has said so, and then the next one does: user space ignores the second.
 */
static __always_inline void slot_announce(u32 slot)
{
	struct lt_slot *s = slot_get(slot);

	if (s && !s->announced && !send_process(LT_REC_PROCESS, slot, current_pid()))
		s->announced = 1;
}

static __always_inline void slot_key__init(struct slot_key *key, struct task_struct *task)
{
	key->start_boottime = BPF_CORE_READ(task, group_leader, start_boottime);
	key->exec_id = BPF_CORE_READ(task, self_exec_id);
	key->tgid = BPF_CORE_READ(task, tgid);
	key->pad = 0;
}

static __always_inline u32 space_of(u32 slot)
{
	struct lt_slot *s = slot_get(slot);

	return s ? s->space : LT_NO_SPACE;
}

/* The tables of its mappings are there before its first hit, unless it has just execed. */
static __always_inline void slot_take_space(u32 slot, u32 exec_id)
{
	struct lt_slot *s = slot_get(slot);
	u32 pid = current_pid();
	struct lt_target *target = bpf_map_lookup_elem(&targets, &pid);

	if (s)
		s->space = target && (!target->exec_id || target->exec_id == exec_id) ? target->space : LT_NO_SPACE;
}

static __noinline u32 slot_assign(struct task_struct *task)
{
	struct slot_key key;
	u32 slot, *known;

	slot_key__init(&key, task);
	known = bpf_map_lookup_elem(&slot_ids, &key);
	if (known) {
		slot = *known;
		slot_announce(slot);
		return slot;
	}
	if (state.next_slot >= LT_MAX_SLOTS)
		return LT_NO_SLOT;
	slot = __sync_fetch_and_add(&state.next_slot, 1);
	if (slot >= LT_MAX_SLOTS)
		return LT_NO_SLOT;
	slot_take_space(slot, key.exec_id);
	/* Two threads may come here at once: the loser's number stays unused. */
	if (bpf_map_update_elem(&slot_ids, &key, &slot, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&slot_ids, &key);
		if (!known)
			return LT_NO_SLOT;
		slot = *known;
	}
	slot_announce(slot);
	return slot;
}

/* The current task's state with a valid slot, or NULL (counted). */
static __always_inline struct task_state *task_enter(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *ts;
	u64 exec_id;

	ts = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!ts) {
		count(LT_CNT_TASKS_UNTRACKED, 1);
		return NULL;
	}
	exec_id = task->self_exec_id;
	if (!ts->has_slot || ts->exec_id != exec_id) {
		u32 slot = slot_assign(task);

		if (slot >= LT_MAX_SLOTS) {
			count(LT_CNT_PROCESSES_UNTRACKED, 1);
			return NULL;
		}
		/* What was pending before an exec belongs to an address space that is gone. */
		__builtin_memset(ts->pending, 0, sizeof(ts->pending));
		__builtin_memset(ts->evicted, 0, sizeof(ts->evicted));
		__builtin_memset(ts->entered, 0, sizeof(ts->entered));
		ts->free_sp = 0;
		ts->slot = slot;
		ts->exec_id = exec_id;
		ts->has_slot = 1;
	}
	return ts;
}
