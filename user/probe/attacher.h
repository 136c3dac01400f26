/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * attacher: probes in the modules of processes, and what became of each module.
 *
 * Links are filtered by pid, one or two for each module and process; closing them detaches. A SIGKILL of this process
 * closes them too, so it leaves nothing behind.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "probe/attach_path.h"
#include "probe/attached.h"
#include "probe/family.h"
#include "probe/loader.h"
#include "select/mappings.h"

struct leaktrace_bpf;
struct attacher;

struct attacher_options {
	enum attach_path path;
	enum stack_method stacks;
	/* Those that are looked for; ends with NULL. The caller's, and must outlive the attacher. */
	const struct family *const *families;
	const char *object; /* the only file that is looked at, its path or the last component of that; NULL: all */
	bool with_callers;  /* see struct plan_request */
	/* Return probes are dangerous on this kernel (return_trial.h), or are not to be used. */
	bool no_return_probes;
	bool debuggers_are_harmless; /* they set no breakpoints in code */
};

/* NULL when out of memory. */
struct attacher *attacher__new(struct leaktrace_bpf *bpf, const struct attacher_options *o);

/* Detaches everything. */
void attacher__free(struct attacher *a);

/* Give all links to the caller, who closes them together with others, which is faster. a may be NULL. */
void attacher__give_links(struct attacher *a, struct uprobe_links *to);

/*
 * Probe every allocator among a process's mappings that is not probed in it yet. Returns how many modules are hooked in
 * it now, or a negative errno with a sentence (the process ended, the kernel refused).
 */
int attacher__attach(struct attacher *a, pid_t pid, const struct mappings *m, struct err *e);

/* The process is gone: its links are closed. */
void attacher__detach(struct attacher *a, pid_t pid);

/* Everything so far, also of processes that are gone. Valid until the next attach. */
const struct attached_module *attacher__modules(const struct attacher *a, unsigned int *n);

/* Name of the function with this attach cookie (lt_site.fn). */
const char *attacher__function(const struct attacher *a, unsigned int fn);
