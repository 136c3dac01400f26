/* SPDX-License-Identifier: GPL-2.0-only */
/* task_states: what the BPF side keeps of each thread, made before the thread's first hit. */
#pragma once

struct leaktrace_bpf;

/*
 * Make those of all threads of the processes that are watched; threads that they start from then on get theirs by
 * themselves. Where that fails, a state is made at the first hit, which in rare cases loses it; logged at -v.
 */
void task_states__make(struct leaktrace_bpf *bpf);
