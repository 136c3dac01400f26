/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps: every map and global, declared for all objects. Defined once, in maps.bpf.c, with owner and sizing rule.
 */
#pragma once

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "unwind_abi.h"

/* Written by user space before load; the verifier drops what they switch off. */
extern const volatile u32 cfg_max_sites; /* sites beyond this number share their slot's overflow site */
extern const volatile u64 cfg_min_size;	 /* -z: smaller allocations are not tracked */
extern const volatile u64 cfg_max_size;	 /* -Z: larger ones neither */
extern const volatile bool cfg_never;	 /* false; the compiler must not know */
extern const volatile bool cfg_find_vma; /* the kernel has bpf_find_vma() (5.17) */
extern const volatile bool cfg_sessions; /* attached by session: what an entry returns decides about its return */
extern const volatile bool cfg_events;	 /* -t: each event goes to the ring `events` */
extern const volatile bool cfg_vm_children_hit; /* perf links fire in children that share the memory; others do not */
extern const volatile u32 cfg_pidns; /* inode number of the tracer's pid namespace, in which pids are reported */

extern struct lt_state state;

struct pending {
	u64 sp;	 /* stack pointer at entry; identifies the call */
	u64 ret; /* its return address */
	u64 size;
	u64 ptr; /* posix_memalign: where the result goes; realloc: the old address */
	u64 pool;
	struct lt_block old; /* realloc: the old block, taken from the block map */
	u32 site;
	u32 slot;
	u32 seq; /* order of entry in this thread; the oldest makes room */
	u16 fn;
	u8 used;
	u8 has_old;
	u8 at_ret; /* its return is seen at a ret instruction */
	u8 covers; /* as in lt_fn */
	u8 pools, layer;
	u32 pad;
};

/* A module with hooked functions that a thread has been in. A program has one or two. */
#define LT_ENTERED 4

struct entered {
	u64 bias; /* its run-time address less the addresses in it */
	u32 module;
	u32 used;
};

/* An entry that had to make room; its return is a counted loss. */
struct evicted {
	u64 sp;
	u16 fn;
	u16 used;
	u32 at_ret;
};

/* A walk under way. */
struct walk {
	u64 ip, sp, fp;
	u64 hash;
	u64 place;	/* of ip, see struct lt_frame */
	u32 first, n;	/* mappings of the address space */
	u32 generation; /* of these */
	u32 rule;	/* at ip */
	u32 stale;	/* lt_space.stale when it began */
	u8 after_call;	/* ip is a return address: what holds is what held at the call */
	u8 guessed;	/* ip was found by an assumed frame pointer */
	u8 doubtful;	/* mappings may be out of date */
	u8 asked;	/* the rule at ip is the kernel's word */
};

/* Per thread. Also the scratch of its running probe: a uprobe program can be preempted (since 6.0 only migration is
 * disabled, bpf_prog_run_array_uprobe), so per-CPU scratch could be overwritten by another thread. */
struct task_state {
	u64 exec_id;
	u32 slot; /* valid while has_slot and exec_id is the task's */
	u32 has_slot;
	struct pending pending[LT_PENDING];
	struct evicted evicted[LT_PENDING];
	u64 free_sp, free_ret, free_ptr; /* the last call that released, to know what it releases by calling another */
	struct entered entered[LT_ENTERED];
	u64 born;     /* the block that was counted last, */
	u32 born_seq; /* by the pending call with this number */
	u32 pad;
	u64 below; /* of the call that is being looked at, see is_nested() */
	u32 n_entered;
	u32 entered_stale; /* lt_space.stale then */
	u32 free_fn;
	u32 seq;
	struct walk walk;
	struct lt_rec_stack stack;
};

/* What holds at a pc, as found before. Three words that other threads may write meanwhile: the second binds them. */
struct cached_rule {
	u64 pc;
	u64 rule; /* in the upper half; the lower one is a hash of pc, generation and place */
	u64 place;
};

#define CACHED_RULES_BITS 14

struct slot_key {
	u64 start_boottime; /* of the group leader: tells a reused pid from the first */
	u64 exec_id;	    /* task_struct.self_exec_id: changes at every exec */
	u32 tgid, pad;
};

struct map_blocks {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lt_block_key);
	__type(value, struct lt_block);
};

struct map_pools {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lt_pool_key);
	__type(value, u64);
};

struct map_pooled {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lt_pooled_key);
	__type(value, u64);
};

struct map_sites {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct lt_site);
};

struct map_site_ids {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, u32);
};

struct map_slots {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LT_MAX_SLOTS);
	__type(key, u32);
	__type(value, struct lt_slot);
};

struct map_slot_ids {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16 * LT_MAX_SLOTS);
	__type(key, struct slot_key);
	__type(value, u32);
};

struct map_targets {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LT_MAX_SLOTS);
	__type(key, u32);
	__type(value, struct lt_target);
};

struct map_tasks {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
};

/* Returned by the entry half of a session: do, or do not, run at the return. */
#define RETURN_WANTED	0
#define RETURN_UNWANTED 1

struct map_fns {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_MAX_FUNCTIONS);
	__type(key, u32);
	__type(value, struct lt_fn);
};

struct map_modules {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LT_MAX_MODULES);
	__type(key, u32);
	__type(value, struct lt_module);
};

struct map_counters {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LT_CNT_MAX);
	__type(key, u32);
	__type(value, u64);
};

struct map_hits {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
};

struct map_no_programs {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
};

struct map_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
};

struct map_rows {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct lt_row);
};

struct map_mappings {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LT_MAX_MAPPINGS);
	__type(key, u32);
	__type(value, struct lt_mapping);
};

struct map_spaces {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LT_MAX_SPACES);
	__type(key, u32);
	__type(value, struct lt_space);
};

struct map_files {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LT_MAX_FILES);
	__type(key, struct lt_file_key);
	__type(value, struct lt_file);
};

struct map_rules {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << CACHED_RULES_BITS);
	__type(key, u32);
	__type(value, struct cached_rule);
};

struct map_events {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

extern struct map_blocks blocks SEC(".maps");
extern struct map_pools pools SEC(".maps");
extern struct map_pooled pooled SEC(".maps");
extern struct map_sites sites SEC(".maps");
extern struct map_site_ids site_ids SEC(".maps");
extern struct map_slots slots SEC(".maps");
extern struct map_slot_ids slot_ids SEC(".maps");
extern struct map_targets targets SEC(".maps");
extern struct map_tasks tasks SEC(".maps");
extern struct map_fns fns SEC(".maps");
extern struct map_modules modules SEC(".maps");
extern struct map_counters counters SEC(".maps");
extern struct map_hits hits SEC(".maps");
extern struct map_ring ring SEC(".maps");
extern struct map_events events SEC(".maps");
extern struct map_no_programs no_programs SEC(".maps");
extern struct map_rows rows SEC(".maps");
extern struct map_mappings mappings SEC(".maps");
extern struct map_spaces spaces SEC(".maps");
extern struct map_files files SEC(".maps");
extern struct map_rules rules SEC(".maps");

/*
 * Linux 6.13 and later give a program of this type one stack for each CPU (a76ab5731e32), as if it could not be
 * preempted. A uprobe program can be, and then two threads overwrite each other's variables and pointers: the kernel
 * crashes. A program with a tail call keeps the kernel's own stack; the verifier drops this one, which is never made.
 * Must be in each main program, not in a subprogram.
 */
static __always_inline void refuse_private_stack(void *ctx)
{
	if (cfg_never)
		bpf_tail_call(ctx, &no_programs, 0);
}

static __always_inline void count(u32 counter, u64 n)
{
	u64 *c = bpf_map_lookup_elem(&counters, &counter);

	if (c)
		__sync_fetch_and_add(c, n);
}

/* A hit of any probe, wanted or not: what they cost is reckoned from it. */
static __always_inline void count_hit(void)
{
	u32 zero = 0;
	u64 *c = bpf_map_lookup_elem(&hits, &zero);

	/* Atomic: preemption between load and store would lose a hit. */
	if (c)
		__sync_fetch_and_add(c, 1);
}
