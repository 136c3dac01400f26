/* SPDX-License-Identifier: GPL-2.0-only */
/* loader: the BPF object, sized by the options, with the programs that the attach path needs. */
#pragma once

#include <stdint.h>

#include "abi.h"
#include "base/err.h"
#include "probe/attach_path.h"

struct leaktrace_bpf; /* the generated skeleton */

struct loader_options {
	uint64_t max_blocks, max_sites;
	uint64_t min_size, max_size; /* -z, -Z */
	enum attach_path path;
};

/* Open, size and load; lifecycle programs are attached at once. NULL with a sentence on failure. */
struct leaktrace_bpf *loader__load(const struct loader_options *o, struct err *e);
void loader__free(struct leaktrace_bpf *bpf);
