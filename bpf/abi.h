/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * abi: what both sides of the kernel boundary agree on. Fixed widths, explicit padding, sizes asserted.
 *
 * A *slot* is a process identity: one address space. A *site* is one call stack of one slot. A *birth slot* is a
 * stretch of time in which blocks are born; a block remembers its absolute number, and birth_counter[] says in which of
 * the few counters of its site it is counted now (so that old stretches can be merged without touching any block).
 */
#pragma once

#ifndef __bpf__
#include <stdint.h>
typedef uint64_t u64;
typedef int64_t s64;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint16_t u16;
typedef uint8_t u8;
#endif

#define LT_MAX_FRAMES	  127
#define LT_MAX_FUNCTIONS  1024 /* hooked functions in all modules */
#define LT_MAX_MODULES	  64   /* modules with hooked functions */
#define LT_MAX_RANGES	  512  /* ranges of one module whose calls into hooked functions are its own */
#define LT_MAX_SLOTS	  256  /* address spaces in one trace */
#define LT_PENDING	  4    /* nested hooked calls of one thread */
#define LT_BIRTH_COUNTERS 16   /* per site */
#define LT_BIRTH_SLOTS	  256  /* absolute birth slots in one trace: lengths double, so this lasts for centuries */
#define LT_COMM_SIZE	  16   /* TASK_COMM_LEN (include/linux/sched.h), with its NUL */

/* What a hooked function does with its arguments and its result. */
enum lt_op {
	LT_OP_NONE = 0,
	LT_OP_ALLOC = 1,     /* result = new block of [count *] size bytes, NULL = failed */
	LT_OP_REALLOC = 2,   /* as ALLOC; the block at ptr is gone if it succeeds */
	LT_OP_FREE = 3,	     /* the block at ptr is gone */
	LT_OP_ALLOC_PTR = 4, /* posix_memalign: *ptr = new block if the result is 0 */
	LT_OP_RESIZE = 5,    /* the block at ptr stays there and has size bytes from now on, if the result is so much */
	LT_OP_RESET = 6,     /* all blocks of the pool are gone */
	LT_OP_DISSOLVE = 7,  /* the pool is gone, its blocks are not */
};

/* What a realloc that returns NULL has done to the block. */
enum lt_failed_realloc {
	LT_FAILED_KEEPS = 0,
	LT_FAILED_ZERO_FREES = 1, /* freed it if the size was 0: glibc */
	LT_FAILED_FREES = 2,	  /* freed it: reallocf(3) of BSD */
};

/* Registers as the instruction set numbers them: rax 0, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15. */
#define LT_NO_REG 0xff

/* A hooked function; the attach cookie is its index in the map fns. */
struct lt_fn {
	u64 vaddr; /* of the probed instruction in its module, as the module's program headers number it */
	u32 module;
	u8 op;
	u8 size_reg, count_reg, ptr_reg; /* registers that have the arguments at the probed instruction, or LT_NO_REG */
	u8 failed_realloc;		 /* enum lt_failed_realloc */
	u8 ret_insns;			 /* its returns are seen at its ret instructions, not by a return probe */
	u16 sp_offset; /* at the probed instruction the stack pointer is so many bytes lower than at the entry */
	u8 pools;      /* number of the family, where it hands out from a pool that can be reset; else 0 */
	u8 layer; /* number of a family whose blocks may begin where those of another do: in a chunk that it has from it
		   */
	u8 pool_reg; /* has the pool; LT_NO_REG: there is one only */
	u8 covers;   /* whatever it calls until it returns is its own, also through others */
};

/* In the cookie of a probe on a ret instruction, beside the index. */
#define LT_COOKIE_RET (1ull << 32)

struct lt_range {
	u64 start, end; /* module virtual addresses, end exclusive */
};

/* Calls whose return address lies in one of these come from the allocator itself: not counted. Sorted. */
struct lt_module {
	u32 n, pad;
	struct lt_range ranges[LT_MAX_RANGES];
};

struct lt_block_key {
	u64 address;
	u32 slot, layer; /* lt_fn.layer */
};

struct lt_block {
	u64 size;
	u32 site;
	u16 birth;    /* absolute birth slot */
	u16 pool_tag; /* of the pool that it is from; 0: of none */
};

/* A pool of a family that can release all blocks of one at once: an arena, a region. */
struct lt_pool_key {
	u64 pool; /* the argument that says which; 0 where there is one only */
	u32 slot;
	u32 pools; /* lt_fn.pools */
};

/* That a pool has handed out an address since it was last reset. A list, through addresses; 0 ends it. */
struct lt_pooled_key {
	struct lt_pool_key pool;
	u64 address;
};

#define LT_SITE_SENT   1 /* its frames are in the ring or were read from it */
#define LT_SITE_UNUSED 2 /* lost a race: never counted in */

struct lt_site {
	u64 hash;
	u32 slot;
	u16 fn;
	u16 flags;
	s64 live_bytes, live_blocks;
	u64 alloc_bytes, allocs, frees;
	u64 failed, failed_size;
	u64 floor[2]; /* of even and odd windows, see lt_floor_pack() */
	s64 birth_bytes[LT_BIRTH_COUNTERS];
	s64 birth_blocks[LT_BIRTH_COUNTERS];
};

/* A floor and the window it belongs to share one word, so that one compare-and-swap changes both. */
#define LT_FLOOR_BITS 44 /* 16 TiB; larger floors saturate */
#define LT_FLOOR_MAX  ((1ull << LT_FLOOR_BITS) - 1)
#define LT_WINDOW_MAX ((1u << (64 - LT_FLOOR_BITS)) - 1)

static inline u64 lt_floor_pack(u32 window, u64 floor)
{
	return (u64)(window & LT_WINDOW_MAX) << LT_FLOOR_BITS | (floor > LT_FLOOR_MAX ? LT_FLOOR_MAX : floor);
}

static inline u32 lt_floor_window(u64 word)
{
	return (u32)(word >> LT_FLOOR_BITS);
}

static inline u64 lt_floor_value(u64 word)
{
	return word & LT_FLOOR_MAX;
}

/* Counts of one slot. */
struct lt_slot {
	u64 allocs, frees, frees_untracked, failed;
	u64 alloc_bytes;
	u64 filtered; /* allocations outside -z/-Z */
	u64 vm_children;
	u32 announced; /* its LT_REC_PROCESS is in the ring or was read from it */
	u32 space;     /* of its mappings, or LT_NO_SPACE: user space has not read them yet */
};

/* What user space changes while tracing, and the two counters that hand out ids. One instance, in the object's .bss. */
struct lt_state {
	u32 window; /* number of the running window, from 1 */
	u32 birth;  /* absolute number of the running birth slot */
	u32 next_site;
	u32 next_slot;
	u32 frozen; /* calls that begin now are ignored; those under way still count when they return */
	u32 pad;
	u8 birth_counter[LT_BIRTH_SLOTS]; /* absolute birth slot → counter of a site */
};

/* Losses and other events that must not go uncounted; index into the map counters. */
enum lt_counter {
	LT_CNT_BLOCKS_NOT_TRACKED = 0,
	LT_CNT_BYTES_NOT_TRACKED = 1,
	LT_CNT_SITES_MERGED = 2,
	LT_CNT_RECORDS_DROPPED = 3,
	LT_CNT_RETURNS_UNSAFE = 4,
	LT_CNT_RETURNS_UNMATCHED = 5,
	LT_CNT_FREES_MISSED = 6,
	LT_CNT_FLOORS_MISSED = 7,
	LT_CNT_READS_FAILED = 8,
	LT_CNT_TASKS_UNTRACKED = 9,
	LT_CNT_PROCESSES_UNTRACKED = 10,
	LT_CNT_EVENTS_DROPPED = 11,
	LT_CNT_RETURNS_OMITTED = 12,
	LT_CNT_ENDS = 16, /* + enum lt_stack_end */
	LT_CNT_MAX = 32,
};

/* A process whose exec, exit and fork are reported. */
struct lt_target {
	u32 space;   /* of its mappings, or LT_NO_SPACE */
	u32 exec_id; /* of the program that these are of, see lt_rec_process; 0: whatever runs */
};

/* Records in the ring buffer; each starts with its type. */
enum lt_record_type {
	LT_REC_STACK = 1,   /* struct lt_rec_stack, cut after its last frame */
	LT_REC_PROCESS = 2, /* struct lt_rec_process: a slot was given to an address space */
	LT_REC_EXEC = 3,    /* struct lt_rec_process: its old address space is gone */
	LT_REC_EXIT = 4,    /* struct lt_rec_process: its last thread has ended */
	LT_REC_LEADER = 5,  /* struct lt_rec_process: its first thread has ended, others run on */
	LT_REC_PARTIAL = 6, /* struct lt_rec_partial: a stack that user space has to walk */
	LT_REC_LOADED = 7,  /* struct lt_rec_process: its loader has mapped or unmapped a library */
};

/*
 * A frame: its pc, and the place in a file that it was when it was walked. A place is (file number, pc - bias of its
 * mapping), see unwind_abi.h; LT_PLACE_PC and the pc where no file is mapped; 0 where the pc was not looked up.
 */
struct lt_frame {
	u64 pc, place;
};

#define LT_PLACE_PC (1ull << 63)

static inline u64 lt_place(u32 file, u64 pc_in_file)
{
	return (u64)file << 32 | (u32)pc_in_file;
}

/* frames[0] is the hooked function, the others are return addresses, but for those whose bit in interrupted is set. */
struct lt_rec_stack {
	u32 type;
	u32 slot;
	u32 site;
	u16 n;
	u8 end;	  /* enum lt_stack_end */
	u8 flags; /* LT_STACK_... */
	u64 interrupted[2];
	struct lt_frame frames[LT_MAX_FRAMES];
};

/* Where the kernel has put the address of a return probe's trampoline, and what was there. */
struct lt_replaced {
	u64 at, was;
};

#define LT_PARTIAL_REPLACED 16
#define LT_PARTIAL_NEAR	    (8u << 10)
#define LT_PARTIAL_FAR	    (24u << 10)
#define LT_PARTIAL_REGS	    17 /* as DWARF numbers them on x86-64; the last is the pc */
#define LT_PARTIAL_SP	    7

struct lt_rec_partial {
	struct lt_rec_stack stack; /* as far as the kernel side came */
	u64 regs[LT_PARTIAL_REGS];
	u64 far_sp; /* where `near` ends; or where the walk stopped, if that was far away: behind a signal frame */
	/* lt_space.stale then: if it has changed, the mappings may be others now. LT_NO_EPOCH: there is no space yet.
	 */
	u32 stale;
	u32 n_replaced;
	u32 n_near, n_far;
	struct lt_replaced replaced[LT_PARTIAL_REPLACED];
	u8 near[LT_PARTIAL_NEAR]; /* from the stack pointer up */
	u8 far[LT_PARTIAL_FAR];	  /* from far_sp up */
};

struct lt_rec_process {
	u32 type;
	u32 slot;		 /* LT_NO_SLOT when it has none (EXEC, EXIT) */
	u32 pid;		 /* thread group id in the tracer's pid namespace */
	u32 exec_id;		 /* counts the programs that it has run (task_struct.self_exec_id) */
	u64 time_ns;		 /* bpf_ktime_get_ns */
	u64 start_boottime;	 /* of its first thread, in ns since boot */
	char comm[LT_COMM_SIZE]; /* its name now; when user space asks /proc, it may have ended or become another */
};

#define LT_NO_SLOT  0xffffffffu
#define LT_NO_SPACE 0xffffffffu
#define LT_NO_EPOCH 0xffffffffu

enum lt_event_kind {
	LT_EVENT_BORN = 0,   /* a block came into being */
	LT_EVENT_GONE = 1,   /* a block was released */
	LT_EVENT_FAILED = 2, /* an allocation failed */
};

/* One of -t, in a ring buffer of its own: a flood of them costs no record of the others. */
struct lt_event {
	u64 time_ns;  /* bpf_ktime_get_ns */
	u64 address;  /* 0 when failed */
	u64 size;     /* LT_NO_SIZE: a block that is not tracked */
	u32 pid, tid; /* in the tracer's pid namespace */
	u32 fn;
	u32 kind; /* enum lt_event_kind */
};

#define LT_NO_SIZE (~0ull)

#define LT_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " changed its size")
LT_ASSERT_SIZE(struct lt_fn, 24);
LT_ASSERT_SIZE(struct lt_module, 8 + 16 * LT_MAX_RANGES);
LT_ASSERT_SIZE(struct lt_block_key, 16);
LT_ASSERT_SIZE(struct lt_block, 16);
LT_ASSERT_SIZE(struct lt_pool_key, 16);
LT_ASSERT_SIZE(struct lt_pooled_key, 24);
LT_ASSERT_SIZE(struct lt_site, 88 + 16 * LT_BIRTH_COUNTERS);
LT_ASSERT_SIZE(struct lt_slot, 64);
LT_ASSERT_SIZE(struct lt_state, 24 + LT_BIRTH_SLOTS);
LT_ASSERT_SIZE(struct lt_rec_stack, 32 + 16 * LT_MAX_FRAMES);
LT_ASSERT_SIZE(struct lt_rec_partial, sizeof(struct lt_rec_stack) + 8 * LT_PARTIAL_REGS + 24 +
					      16 * LT_PARTIAL_REPLACED + LT_PARTIAL_NEAR + LT_PARTIAL_FAR);
LT_ASSERT_SIZE(struct lt_rec_process, 48);
LT_ASSERT_SIZE(struct lt_event, 40);
