/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host_calls: the handlers of bpf/heap.bpf.c, driven as the kernel's uprobes drive them: return addresses replaced on
 * the stack, return probes that are forgotten when a call is made above them (kernel/events/uprobes.c).
 */
#pragma once

#include "host_bpf.h"

/* The hooked functions; each is 0x100 bytes at 0x1000 * (its number + 1) of the allocator's file. */
enum host_fn {
	FN_FREE,
	FN_FREE_SIZED,
	FN_REALLOC,
	FN_REALLOCARRAY,
	FN_MALLOC,
	FN_CALLOC,
	FN_POSIX_MEMALIGN,
	FN_ALIGNED_ALLOC,
	FN_REALLOC_KEEPS, /* one whose realloc(p, 0) does not free p */
	FN_XALLOCX,
	FN_POOL_ALLOC,	  /* (pool, size) */
	FN_POOL_REALLOC,  /* (pool, ptr, size) */
	FN_POOL_RESET,	  /* (pool) */
	FN_POOL_DISSOLVE, /* (pool) */
	FN_COUNT,
};

#define HOST_LOAD_BIAS 0x7f0000000000ull

/* The loader's choice: one program that decides about its return, or two that always run; by tables or by frame
 * pointers. */
enum host_path { HOST_SESSION, HOST_TWO, HOST_SESSION_FP, HOST_TWO_FP };
extern enum host_path host_path;

/*
 * host__start() with the functions above, whose own calls are internal. All processes have the address space 0, where
 * all memory is code that is called by nobody: each call has one caller, the last.
 */
void host__start_calls(u32 max_blocks, u32 max_sites);

struct host_args {
	u64 at[3];
};

#define ARGS(...) ((struct host_args){{__VA_ARGS__}})

/* A call: the return address is pushed to sp, then the probe is hit. */
void host__call(enum host_fn fn, u64 sp, u64 ret, struct host_args args);

/* A jump from one function to the start of another: the word at sp stays as it is. */
void host__jump(enum host_fn fn, u64 sp, struct host_args args);

/* The call at sp returns. */
void host__return(u64 sp, u64 result);

/* It comes to a ret instruction of fn that is probed; then it returns. */
void host__at_ret(enum host_fn fn, u64 sp, u64 result);
static inline void host__return_from(enum host_fn fn, u64 sp, u64 result)
{
	host__at_ret(fn, sp, result);
	host__return(sp, result);
}

/* What the handlers know of a function; and from now on, until host__start_calls(), that it is probed in another way.
 */
struct lt_fn host__fn(enum host_fn fn);
void host__change_fn(enum host_fn fn, const struct lt_fn *to);

/* The return of these is seen at their ret instructions. */
void host__see_rets(enum host_fn fn);

/* As host__jump(), with these registers; the stack pointer and the pc become those at the probe. */
void host__hit(enum host_fn fn, u64 sp, struct pt_regs *regs);

/* The probe alone, with these registers. Returns what the program returns. */
int host__enter(enum host_fn fn, struct pt_regs *regs);

/* Processes that come from now on have no space, as after an exec. */
void host__forget_space(void);

/* A whole call. */
static inline void host__calls(enum host_fn fn, u64 sp, u64 ret, struct host_args args, u64 result)
{
	host__call(fn, sp, ret, args);
	host__return(sp, result);
}

/* Functions of bpf/, most of which is linked once. */
u64 host__return_address(u64 sp);
bool host__return_would_kill(u64 sp);
bool host__called_by_allocator(const struct lt_fn *fn, u64 ip, u64 ret);
void host__walk(u32 space, struct pt_regs *regs, u64 ret, u64 seed);

/* A return address inside the allocator. */
static inline u64 host__inside(enum host_fn fn)
{
	return HOST_LOAD_BIAS + 0x1000 * (fn + 1) + 0x20;
}

/* A test under each way to be attached, over small maps. */
#define HOST_BLOCKS 64
#define HOST_SITES  16

static inline int host__set_up(void **how)
{
	host_path = *(enum host_path *)*how;
	host__start_calls(HOST_BLOCKS, HOST_SITES);
	return 0;
}

static inline int host__tear_down(void **how)
{
	(void)how;
	host__stop();
	return 0;
}

extern enum host_path host_session, host_two, host_session_fp, host_two_fp;

/* Under one of them, and under all that walk by tables, or by frame pointers. */
#define HOST_TEST_BY(f, how, path)                                                                                     \
	{                                                                                                              \
#f " (" how ")", f, host__set_up, host__tear_down, &host_##path                                        \
	}
#define HOST_TEST_FP(f)                                                                                                \
	HOST_TEST_BY(f, "session, frame pointers", session_fp), HOST_TEST_BY(f, "two programs, frame pointers", two_fp)
#define HOST_TEST(f) HOST_TEST_BY(f, "session", session), HOST_TEST_BY(f, "two programs", two)

/* Where how it is attached does not matter. */
#define HOST_TEST_ONCE(f)                                                                                              \
	{                                                                                                              \
#f, f, host__set_up, host__tear_down, &host_session                                                    \
	}
