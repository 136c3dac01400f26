/* SPDX-License-Identifier: GPL-2.0-only */
/* clock: the clocks in use. Ages and windows are monotonic (as bpf_ktime_get_ns is); dates are wall time. */
#pragma once

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ull

static inline uint64_t clock__ns_(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static inline uint64_t clock__mono_ns(void)
{
	return clock__ns_(CLOCK_MONOTONIC);
}

static inline uint64_t clock__wall_ns(void)
{
	return clock__ns_(CLOCK_REALTIME);
}

/* CPU time of the calling thread. */
static inline uint64_t clock__thread_cpu_ns(void)
{
	return clock__ns_(CLOCK_THREAD_CPUTIME_ID);
}
