/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/work_limit.h"
#include "base/clock.h"

/* Looking at the clock costs more than a step does. */
#define STEPS_PER_LOOK 64

void work_limit__start(struct work_limit *w)
{
	w->started_ns = clock__ns_(CLOCK_THREAD_CPUTIME_ID);
	w->steps = 0;
}

bool work_limit__exceeded(struct work_limit *w)
{
	if (!w->left_ns)
		return true;
	if (++w->steps % STEPS_PER_LOOK)
		return false;
	work_limit__stop(w);
	work_limit__start(w);
	return !w->left_ns;
}

void work_limit__stop(struct work_limit *w)
{
	uint64_t spent = clock__ns_(CLOCK_THREAD_CPUTIME_ID) - w->started_ns;

	w->left_ns = spent < w->left_ns ? w->left_ns - spent : 0;
}
