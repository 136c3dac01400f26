/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * snapshot: what is known at one moment, as plain data: no BPF, no file descriptor but those of modules, no clock.
 *
 * Built by account at the end of each window; read by symbolize, judge and report. Numbers that are not known are NAN
 * (double) or -1 (signed); the comment says which can be unknown. All memory belongs to the snapshot's arena, that is
 * to the tracer; it stays valid until the next one is built.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/reading.h"

struct module;

enum site_kind { SITE_HEAP, SITE_MMAP, SITE_BRK, SITE_MANAGED };

enum process_end { PROCESS_RUNS, PROCESS_EXITED, PROCESS_EXECED };

struct site {
	uint64_t id;	  /* stable within a trace */
	uint32_t process; /* index into snapshot.processes */
	enum site_kind kind;
	const char *function; /* the allocator function called, "malloc"; NULL for the overflow site */
	bool overflow;	      /* not one place: what did not fit into --max-sites, so that sums close */
	int64_t live_bytes, live_blocks;
	uint64_t total_alloc_bytes, total_allocs, total_frees;
	uint64_t failed_allocs, failed_last_size; /* calls that returned NULL; the size the last one asked for */
	double oldest_age_s;			  /* upper bound, to the birth slot; NAN when nothing is live */
	double growth_bytes_per_s; /* net change of live bytes over the site's observed time; NAN unknown */
	unsigned int windows;	   /* windows that ended since the site was first seen */
	unsigned int rises, falls; /* of these: floor higher / lower than that of the window before */
	const uint64_t *floors;	   /* newest last; at most SNAPSHOT_FLOORS */
	unsigned int n_floors;
	const struct age_bin *ages; /* youngest first */
	unsigned int n_ages;
	const struct frame *frames; /* allocator function first */
	unsigned int n_frames;
	const char *truncated; /* why the stack is not whole; NULL: it is, as far as its method can tell */
	bool guessed;	       /* some frame was found by an assumed frame pointer: there is no unwind information */
	bool finished;	       /* the kernel side could not walk it to its end, user space did */
	bool frames_lost;      /* the stack never reached user space */
};

#define SNAPSHOT_FLOORS 60

struct hooked_module {
	const struct module *module;
	const char *family; /* "libc" */
	const char *const *functions;
	unsigned int n_functions;
};

struct not_hooked {
	const char *path, *reason;
};

struct process {
	pid_t pid;
	double start_time;	/* seconds since the epoch */
	const char *comm, *exe; /* terminal-safe */
	const char *cgroup;	/* NULL unknown */
	enum process_end end;
	double end_s;	 /* seconds after the start of the trace; NAN while it runs */
	int exit_status; /* wait(2) status when known, -1 otherwise */
	int64_t live_bytes, live_blocks;
	uint64_t allocs, frees;	  /* calls that ended well, and frees of non-NULL pointers, each counted once */
	uint64_t frees_untracked; /* of these: blocks from before the attach, or that were lost or filtered out */
	uint64_t failed_allocs;
	int64_t pre_attach_bytes;  /* -1 unknown */
	int64_t rss_bytes;	   /* -1 unknown */
	double growth_bytes_per_s; /* net change of live bytes over the observed time; NAN unknown */
	const struct hooked_module *hooked;
	unsigned int n_hooked;
	const struct not_hooked *not_hooked;
	unsigned int n_not_hooked;
	uint64_t vm_children; /* children that shared its memory (vfork): what they did with it was not seen */
};

struct snapshot {
	double started;	   /* seconds since the epoch */
	double duration_s; /* since then */
	double observed_s; /* of these, with probes on */
	double interval_s;
	unsigned int windows;	  /* that ended */
	const char *stack_method; /* "unwind tables" | "frame pointers" */
	const char *attach_path;  /* "session" | "multi" | "perf" */
	bool final;		  /* the trace has ended */
	const char *end_reason;	  /* "interrupted", "target ended", …; NULL unless final */
	struct process *processes;
	unsigned int n_processes;
	struct site *sites;
	unsigned int n_sites;
	struct losses losses;
	struct walk_ends walk_ends;
	struct overhead overhead;
	/* Sums over the block map, read only on request (it costs a pass over every block); -1: not read. */
	int64_t audit_bytes, audit_blocks;
};

/* True when something was lost that changes the answer (exit status 4), as against what only blurs it. */
bool losses__change_answer(const struct losses *l);
