/* SPDX-License-Identifier: GPL-2.0-only */
/* loader: the BPF object, sized by the options, with the programs that the attach path needs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi.h"
#include "base/err.h"
#include "probe/attach_path.h"

struct leaktrace_bpf; /* the generated skeleton */

/* How call stacks are found. */
enum stack_method { STACKS_BY_TABLES, STACKS_BY_FRAME_POINTERS, STACKS_ANY };

struct loader_options {
	uint64_t max_blocks, max_sites;
	uint64_t min_size, max_size; /* -z, -Z */
	bool events;		     /* -t */
	enum attach_path path;
	enum stack_method stacks; /* STACKS_ANY: by tables if the kernel takes that */
	uint64_t rows;		  /* room for unwind rows */
	bool pools; /* the user has described an allocator with pools: any number of blocks may be in them */
};

/* Does the kernel have what the probes of functions that reset a pool need? */
bool loader__can_reset(void);

/*
 * Open, size and load; lifecycle programs are attached at once. NULL with a sentence on failure. *stacks is the method
 * that was loaded.
 */
struct leaktrace_bpf *loader__load(const struct loader_options *o, enum stack_method *stacks, struct err *e);
void loader__free(struct leaktrace_bpf *bpf);

/* The programs for the entry of a function, by the method that was loaded. */
struct bpf_program *loader__session_program(struct leaktrace_bpf *bpf, enum stack_method stacks);
struct bpf_program *loader__enter_program(struct leaktrace_bpf *bpf, enum stack_method stacks);
