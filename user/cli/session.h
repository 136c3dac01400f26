/* SPDX-License-Identifier: GPL-2.0-only */
/* session: the one place where the stages meet. Owns everything that lives as long as a trace. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "account/accountant.h"
#include "base/err.h"
#include "base/vec.h"
#include "cli/launch.h"
#include "cli/options.h"
#include "cli/sink.h"
#include "collect/collector.h"
#include "probe/attacher.h"
#include "probe/loader_watch.h"
#include "select/target.h"
#include "symbolize/symbolizer.h"
#include "unwind/spaces.h"

struct session {
	const struct options *options;
	struct sink *out;	/* not owned; for the events of -t */
	struct targets targets; /* those of the options, or the command */
	struct launch launch;	/* pid 0: no command */
	int command_status;	/* wait(2) status of the command, -1 while it runs or when there is none */
	enum attach_path path;
	enum stack_method stacks;
	struct leaktrace_bpf *bpf;
	struct tables *tables;
	struct spaces *spaces; /* NULL: stacks follow frame pointers */
	struct images images;
	struct loader_watches *loaders; /* NULL likewise */
	struct attacher *attacher;
	struct collector *collector;
	struct accountant *accountant;
	struct symbolizer *symbolizer;
	const struct reading *reading; /* the last one */
	/* What was hooked, for the processes of the last snapshot. */
	VEC(struct hooked_module) hooked;
	VEC(struct not_hooked) not_hooked;
	uint64_t rescan_until_ns; /* a process has just execed: look for its allocator soon */
};

/*
 * Check the targets (or start the command), load the BPF code, attach. Negative errno with a sentence on failure; a
 * command that was started is killed then. Call session__end() in every case. With -t, events go to `out` from then on.
 */
int session__begin(struct session *s, const struct options *o, struct sink *out, struct err *e);
void session__end(struct session *s);

/* Look for allocators that were mapped since: after an exec, a dlopen. Never fails: what cannot be hooked is reported.
 */
void session__rescan(struct session *s);

/* A target's pidfd says that it has ended. */
void session__target_ended(struct session *s, struct target *t);

/* Do any targets still run? */
bool session__any_runs(struct session *s);
