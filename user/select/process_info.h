/* SPDX-License-Identifier: GPL-2.0-only */
/* process_info: what /proc says about a process. Everything is read at once; a process may be gone a moment later. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_info {
	pid_t pid, tgid;
	char state; /* as in /proc/PID/stat: 'Z' is a zombie */
	bool kernel_thread;
	long n_threads;
	uint64_t start_ticks; /* since boot, in clock ticks: tells a reused pid from the first */
	double start_time;    /* seconds since the epoch */
	char comm[64];	      /* terminal-safe */
};

/* 0, -ESRCH no such process, or another negative errno. */
int process_info__read(pid_t pid, struct process_info *info);

struct process_ids {
	pid_t own_pid;	 /* as it is called in the innermost pid namespace: what its getpid() returns */
	uid_t uid, euid; /* as this host numbers users */
};

/* 0, -ESRCH no such process, or another negative errno. */
int process_info__ids(pid_t pid, struct process_ids *ids);

/* The process that debugs it (ptrace), 0 if none does or that cannot be read. */
pid_t process_info__debugger(pid_t pid);

/* Does its first thread run with a shadow stack? False also when that cannot be read. */
bool process_info__has_shadow_stack(pid_t pid);

/* Seconds since the epoch of a start in nanoseconds since boot, cut to clock ticks as /proc shows it. */
double process_info__start_time(uint64_t start_boottime_ns);

/* Path of the running program, terminal-safe, " (deleted)" removed; NULL when it cannot be read. Caller frees. */
char *process_info__exe(pid_t pid);

/* Path of its cgroup (the v2 one, else that of the v1 memory controller); NULL when it cannot be read. Caller frees. */
char *process_info__cgroup(pid_t pid);

/* Resident set in bytes, or -1 unknown. */
int64_t process_info__rss(pid_t pid);
