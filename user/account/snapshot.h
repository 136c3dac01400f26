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

struct module;

enum site_kind { SITE_HEAP, SITE_MMAP, SITE_BRK, SITE_MANAGED };

enum process_end { PROCESS_RUNS, PROCESS_EXITED, PROCESS_EXECED };

struct frame {
	uint64_t pc;		     /* as found on the stack */
	const struct module *module; /* NULL: no file is mapped there (JIT code, vdso, unmapped since) */
	uint64_t offset;	     /* file offset of pc, when module is set */
	bool is_return_address;	     /* name the instruction before it (the call) */
};

struct age_bin {
	double min_s, max_s; /* blocks in it are between these ages old */
	int64_t bytes, blocks;
};

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

/* Everything that was lost, each counted by the one who lost it. */
struct losses {
	uint64_t blocks_not_tracked, bytes_not_tracked; /* block map full, or no memory for the entry */
	uint64_t sites_merged;				/* allocations counted in an overflow site */
	uint64_t records_dropped; /* records that did not fit into the ring and were not sent again */
	uint64_t stacks_truncated;
	uint64_t stacks_lost;	      /* sites whose frames never reached user space */
	uint64_t probe_misses;	      /* hits at which the kernel did not run our program */
	uint64_t returns_unmatched;   /* calls whose entry had been overwritten (more than 4 nested) */
	uint64_t frees_missed;	      /* an address was handed out while its old block was still live */
	uint64_t floors_missed;	      /* floor updates given up under contention: that floor may be too high */
	uint64_t reads_failed;	      /* target memory that could not be read (posix_memalign's result, a stack slot) */
	uint64_t tasks_untracked;     /* calls of a thread for which no per-thread state could be allocated */
	uint64_t processes_untracked; /* calls of an address space beyond the limit of processes */
};

struct overhead {
	uint64_t probe_hits;
	double probe_cpu_s; /* NAN unknown */
	double tool_cpu_s;
	double percent_of_one_cpu; /* NAN unknown */
};

struct snapshot {
	double started;	   /* seconds since the epoch */
	double duration_s; /* since then */
	double observed_s; /* of these, with probes on */
	double interval_s;
	unsigned int windows;	  /* that ended */
	const char *stack_method; /* "frame pointers" */
	const char *attach_path;  /* "session" | "multi" | "perf" */
	bool final;		  /* the trace has ended */
	const char *end_reason;	  /* "interrupted", "target ended", …; NULL unless final */
	struct process *processes;
	unsigned int n_processes;
	struct site *sites;
	unsigned int n_sites;
	struct losses losses;
	struct overhead overhead;
	/* Sums over the block map, read only on request (it costs a pass over every block); -1: not read. */
	int64_t audit_bytes, audit_blocks;
};

/* True when something was lost that changes the answer (exit status 4), as against what only blurs it. */
bool losses__change_answer(const struct losses *l);
