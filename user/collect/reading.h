/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reading: everything that the kernel side knows at one moment, as plain data. The door into account: a live collector
 * and a recording both fill it, and nothing after it knows BPF.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/frame.h"

/* Everything that was lost, each counted by the one who lost it. */
struct losses {
	uint64_t blocks_not_tracked, bytes_not_tracked; /* block map full, or no memory for the entry */
	uint64_t sites_merged;				/* allocations counted in an overflow site */
	uint64_t records_dropped;     /* records that did not fit into the ring and were not sent again */
	uint64_t stacks_truncated;    /* sites whose stack is not whole */
	uint64_t stacks_lost;	      /* sites whose frames never reached user space */
	uint64_t probe_misses;	      /* hits at which the kernel did not run our program */
	uint64_t returns_unmatched;   /* calls whose entry had been overwritten (more than 4 nested) */
	uint64_t returns_unsafe;      /* calls let go because watching their return could have killed the target */
	uint64_t returns_omitted;     /* calls whose return the kernel does not watch: 64 are watched in a thread */
	uint64_t frees_missed;	      /* an address was handed out while its old block was still live */
	uint64_t floors_missed;	      /* floor updates given up under contention: that floor may be too high */
	uint64_t reads_failed;	      /* target memory that could not be read (posix_memalign's result, a stack slot) */
	uint64_t leaders_gone;	      /* processes whose first thread ended, and with it the probes of the others */
	uint64_t tasks_untracked;     /* calls of a thread for which no per-thread state could be allocated */
	uint64_t processes_untracked; /* calls of an address space beyond the limit of processes */
	uint64_t events_dropped;      /* of -t: those that did not fit into their ring */
};

/* Walks of call stacks that did not come to their end by the unwind tables, by what they met. Most were finished. */
struct walk_ends {
	uint64_t deep, unmapped, no_rule, signal, stale, unreadable, implausible;
};

struct overhead {
	uint64_t probe_hits;
	double probe_cpu_s; /* NAN unknown */
	double tool_cpu_s;
	double percent_of_one_cpu; /* NAN unknown */
};

enum image_end { IMAGE_RUNS, IMAGE_EXITED, IMAGE_EXECED };

/* One address space of a process. Strings are terminal-safe and live as long as the trace. */
struct image_reading {
	pid_t pid;
	double start_time; /* seconds since the epoch */
	const char *comm;
	const char *exe, *cgroup; /* NULL unknown */
	enum image_end end;
	uint64_t end_ns;   /* monotonic */
	int exit_status;   /* wait(2) status, -1 unknown */
	int64_t rss_bytes; /* -1 unknown */
	uint64_t allocs, frees, frees_untracked, failed, vm_children;
};

struct site_reading {
	uint32_t id;	      /* dense, stable within a trace */
	uint64_t key;	      /* 64-bit identity shown to users */
	uint32_t image;	      /* index into reading.images */
	const char *function; /* NULL for an overflow site */
	bool overflow;
	int64_t live_bytes, live_blocks;
	uint64_t alloc_bytes, allocs, frees, failed, failed_size;
	bool floor_known; /* something happened in the window that ended; else live bytes stood still in it */
	uint64_t floor;
	const struct age_bin *ages; /* youngest first, empty ones left out */
	unsigned int n_ages;
	const struct frame *frames; /* NULL when they never arrived */
	unsigned int n_frames;
	const char *truncated; /* why the stack is not whole; NULL: it is */
	bool guessed;	       /* some frame was found by an assumed frame pointer */
	bool finished;	       /* the walk was finished in user space */
};

struct reading {
	uint64_t time_ns;  /* monotonic */
	bool window_ended; /* floors are those of a window that ended now */
	const struct site_reading *sites;
	unsigned int n_sites;
	const struct image_reading *images;
	unsigned int n_images;
	struct losses losses;
	struct walk_ends walk_ends;
	struct overhead overhead;
};
