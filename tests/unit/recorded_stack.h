/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * recorded_stack: a copy of this thread's own stack at the entry of a function, and the chain of return addresses that
 * the compiler's runtime (_Unwind_Backtrace) sees at that moment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORDED_BYTES	(256u << 10)
#define RECORDED_FRAMES 120

struct recorded_stack {
	uint64_t sp, fp, ip; /* at the first instruction of recorded_stack__here() */
	size_t size;
	unsigned char bytes[RECORDED_BYTES]; /* from sp up */
	unsigned int n;
	struct {
		uint64_t pc; /* a return address, or after a signal frame the interrupted pc */
		uint64_t sp; /* after the return to it; 0: not known */
		bool interrupted;
	} frames[RECORDED_FRAMES];
};

extern struct recorded_stack recorded;

/* Record. To be called as a function that a probe is at. */
void recorded_stack__here(void);

/* Code that reaches recorded_stack__here() in different ways. */
void recorded_stack__by_own_frames(unsigned int depth);
void recorded_stack__by_callbacks(void);
void recorded_stack__by_signal(void);
void recorded_stack__by_trap(void);
void recorded_stack__by_thread(void);
