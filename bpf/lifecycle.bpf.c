/* SPDX-License-Identifier: GPL-2.0-only */
/* lifecycle: exec, exit and memory-sharing children of the targets. */
#include "maps.h"
#include "identity.h"

static __always_inline bool is_target(u32 pid)
{
	return pid && bpf_map_lookup_elem(&targets, &pid);
}

/*
 * User space may read the mappings of the new program before it hears of it: they are not those of the last stacks of
 * the old one.
 */
static __always_inline void mark_left(u32 pid)
{
	struct lt_target *target = bpf_map_lookup_elem(&targets, &pid);
	struct lt_space *space;
	u32 id;

	if (!target)
		return;
	id = target->space;
	space = bpf_map_lookup_elem(&spaces, &id);
	if (space)
		__sync_fetch_and_add(&space->stale, 1);
}

SEC("?raw_tp/sched_process_exec")
int on_exec(void *ctx __attribute__((unused)))
{
	struct lt_target none = {.space = LT_NO_SPACE};
	u32 pid = current_pid();

	if (!is_target(pid))
		return 0;
	mark_left(pid);
	/* The tables of the old program must not be used for the new one. */
	bpf_map_update_elem(&targets, &pid, &none, BPF_EXIST);
	send_process(LT_REC_EXEC, LT_NO_SLOT, pid);
	return 0;
}

/* A process that shared its parent's slot has ended: many may come and go, and each has an entry. */
static __always_inline void forget_process(struct task_struct *task)
{
	struct slot_key key;

	slot_key__init(&key, task);
	bpf_map_delete_elem(&slot_ids, &key);
}

/* Bits of signal_struct.flags (include/linux/sched/signal.h); the second one until 5.17 only. */
#define SIGNAL_GROUP_EXIT     0x4
#define SIGNAL_GROUP_COREDUMP 0x8

/*
 * Does a thread of the process wait in execve() for all others to end? de_thread() says who (fs/exec.c); before 5.17
 * only for how many it waits, which is none for a moment.
 */
static __always_inline bool execs(struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);

	if (bpf_core_field_exists(signal->group_exec_task))
		return BPF_CORE_READ(signal, group_exec_task);
	return BPF_CORE_READ(signal, notify_count);
}

/* Do all threads of a process end, or all but one that execs? */
static __always_inline bool all_end(struct task_struct *task)
{
	u32 flags = BPF_CORE_READ(task, signal, flags);

	return flags & (SIGNAL_GROUP_EXIT | SIGNAL_GROUP_COREDUMP) || execs(task);
}

SEC("?raw_tp/sched_process_exit")
int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	u32 pid = current_pid();

	/* The count of live threads is lowered before this point, in do_exit(). */
	if (cfg_vm_children_hit && !BPF_CORE_READ(task, signal, live.counter))
		forget_process(task);
	if (!is_target(pid))
		return 0;
	if (!BPF_CORE_READ(task, signal, live.counter))
		send_process(LT_REC_EXIT, LT_NO_SLOT, pid);
	else if (BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid) && !all_end(task))
		send_process(LT_REC_LEADER, LT_NO_SLOT, pid);
	return 0;
}

/*
 * A thread's state is made before it is needed: to make one at a hit fails when another thread was preempted on this
 * processor in the middle of the same (bpf_task_storage_trylock(), until Linux 7), and then the call is lost.
 */
SEC("?iter/task")
int make_state(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 pid;

	if (!task)
		return 0;
	pid = pid_of(BPF_CORE_READ(task, group_leader));
	if (is_target(pid))
		bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

/*
 * A child made by vfork() or clone(CLONE_VM) shares its parent's memory, and so its slot. Perf links are filtered by
 * memory and fire in it; others are filtered by thread group, so what it allocates and frees before it execs is not
 * seen.
 */
SEC("?tp_btf/sched_process_fork")
int on_fork(u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	struct task_state *ts;
	struct slot_key key;
	struct lt_slot *s;
	u32 slot;

	if (parent->mm != child->mm)
		return 0;
	/* parent is the current task here; without a state it is no target's. */
	ts = bpf_task_storage_get(&tasks, parent, 0, 0);
	if (!ts)
		return 0;
	if (parent->tgid == child->tgid) {
		bpf_task_storage_get(&tasks, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
		return 0;
	}
	if (!ts->has_slot)
		return 0;
	slot = ts->slot;
	if (cfg_vm_children_hit) {
		slot_key__init(&key, child);
		bpf_map_update_elem(&slot_ids, &key, &slot, BPF_ANY);
		return 0;
	}
	s = slot_get(slot);
	if (s)
		__sync_fetch_and_add(&s->vm_children, 1);
	return 0;
}
