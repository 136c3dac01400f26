/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loader_watch: the probe on the empty function by which a process's dynamic loader tells debuggers that its list of
 * libraries changes. See bpf/loader.bpf.c for what is made of it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "probe/attach_path.h"
#include "select/mappings.h"

struct leaktrace_bpf;
struct loader_watches;

/* NULL when out of memory. Processes that are debugged are watched only if debuggers set no breakpoints in code. */
struct loader_watches *loader_watches__new(struct leaktrace_bpf *bpf, enum attach_path path,
					   bool debuggers_are_harmless);

/* Detaches everything. */
void loader_watches__free(struct loader_watches *w);

/* As attacher__give_links(). */
void loader_watches__give_links(struct loader_watches *w, struct uprobe_links *to);

/* Is the loader of a process watched? */
bool loader_watches__has(const struct loader_watches *w, pid_t pid);

/*
 * Watch the loaders among a process's mappings that are not watched in it yet. Where that fails, what the loader does
 * is found out later, by the stacks that the tables do not know; it is logged at -v. True when there was a new one.
 * Not in a process that is being debugged: a debugger has a breakpoint of its own on the same function, always.
 */
bool loader_watches__add(struct loader_watches *w, pid_t pid, const struct mappings *m);
