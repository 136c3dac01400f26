/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host_bpf: bpf/ compiled for this machine, over a fake kernel: maps in our own memory, threads made of structs, a
 * target whose memory is a list of words. A test drives probes as the kernel would and looks at the maps.
 *
 * The include folder host_bpf/ has the stand-ins for vmlinux.h and libbpf's headers.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "maps.h"

#define HOST_THREADS	8
#define HOST_INSTANCES	64 /* MAX_URETPROBE_DEPTH */
#define HOST_ROWS	(256u << 10)
#define HOST_REGIONS	4
#define HOST_TRAMPOLINE 0x7ffffffff000ull /* what the kernel puts in place of a return address: the [uprobes] page */
#define HOST_ENOENT	2
#define HOST_EFAULT	14
#define HOST_E2BIG	7
#define HOST_EEXIST	17

struct host_thread {
	struct task_struct task;
	struct uprobe_task utask;
	struct return_instance instances[HOST_INSTANCES]; /* oldest first, linked from the newest */
	u32 instance_fn[HOST_INSTANCES];
	unsigned int n_instances;
	struct task_state state;
	bool has_state;
};

struct host {
	struct host_thread threads[HOST_THREADS];
	struct host_thread *current;
	u64 cookie, func_ip, clock;
	u64 fp; /* of the target at its next calls */
	/* The stack above the direct caller; whether bpf_get_stack() finds that one too; bytes or an error if it fails.
	 */
	u64 callers[2 * LT_MAX_FRAMES];
	unsigned int n_callers;
	bool finds_caller;
	long stack_error;
	/* What went through the ring. */
	bool ring_full, reserved;
	unsigned int n_stacks, n_processes;
	struct lt_rec_stack last_stack;
	struct lt_rec_process last_process;
	size_t last_stack_size;
	unsigned int n_partials;
	struct lt_rec_partial last_partial;
	unsigned int n_events;
	struct lt_event last_event;
	bool no_task_storage;
	/* Run once, in the middle of the next operation of their kind: another thread was faster. */
	void (*before_update)(void *map);
	void (*before_cas)(u64 *word);
	bool cas_always; /* keep before_cas */
	/* Run before each read of the target's memory. */
	void (*before_read)(u64 address);
};

extern struct host host;

/* What the options set; cfg_* for the BPF code. */
extern u32 host_max_sites, host_pidns;
extern bool host_events;
extern u64 host_min_size, host_max_size;
extern bool host_sessions, host_vm_children_hit, host_find_vma;

/* A kernel with empty maps of this size, and threads that are each a process of their own: number i has pid 1000 + i.
 */
void host__start(u32 max_blocks, u32 max_sites);
void host__stop(void);

/* Make thread `i` the running one; and make it a thread of the same process as `leader`. */
struct host_thread *host__run(unsigned int i);
void host__join(unsigned int i, unsigned int leader);

/* The target's memory, in words of 8 bytes at their own addresses. */
void host__poke(u64 address, u64 value);
u64 host__peek(u64 address);

/* More of it, as recorded: bytes stay the caller's. Words that were poked come first. */
void host__add_memory(u64 address, const void *bytes, u64 size);
void host__forget_memory(void);

/* The kernel's list of replaced return addresses of a thread. */
void host__push_instance(struct host_thread *t, u32 fn, u64 stack, u64 orig_ret);
void host__pop_instance(struct host_thread *t);

u64 host__counter(enum lt_counter c);
struct lt_site *host__site(u32 id);
struct lt_slot *host__slot(u32 id);
struct lt_block *host__block(u32 slot, u64 address);
void host__set_fn(u32 id, const struct lt_fn *fn);
struct lt_module *host__module(u32 id);
struct lt_space *host__space(u32 id);

/* The elements of an array map. */
void *host__array(void *map);

struct host_sums {
	s64 bytes, blocks;
};

/* Over all blocks; over all sites; over the birth counters of all sites. */
struct host_sums host__tracked(void);

/* In a hash map. */
unsigned int host__n_entries(void *map);

struct host_sums host__live(void);
struct host_sums host__by_birth(void);

/* The three sums are equal, and equal to these. */
void host__assert_live(s64 n, s64 bytes);

/* As above, but while a realloc is under way: its old block is out of the map and still in the sums. */
void host__assert_in_between(s64 tracked_n, s64 tracked_bytes, s64 n, s64 bytes);

/* This many in one counter of losses, none in all others. */
void host__assert_lost(enum lt_counter c, u64 n);
static inline void host__assert_nothing_lost(void)
{
	host__assert_lost(LT_CNT_MAX, 0);
}

/* Pending calls of the running thread. */
unsigned int host__pending(void);
