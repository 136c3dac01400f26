/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * collector: from the kernel to user space. Stacks and the life of processes come through the ring, numbers are read
 * from mapped memory at the end of each window: O(sites), never O(blocks).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "collect/images.h"
#include "collect/reading.h"

struct leaktrace_bpf;
struct tables;
struct collector;

/* What a process did; told after the collector has changed its images. */
enum collector_event { COLLECTOR_EXEC, COLLECTOR_EXIT, COLLECTOR_LEADER_EXIT, COLLECTOR_LOADED };

/* A block that came or went, as it happened. */
struct collected_event {
	uint64_t time_ns; /* monotonic */
	pid_t pid, tid;
	enum { EVENT_BORN, EVENT_GONE, EVENT_FAILED } kind;
	const char *function;
	uint64_t address, size;
	bool size_known; /* not of a block that is not tracked */
};

struct collector_options {
	uint64_t max_sites;
	struct tables *tables;	/* not owned; NULL: stacks follow frame pointers */
	bool leader_exit_loses; /* probes stop when a process's first thread ends: counted as a loss */
	/* Name of the function with an id, as attacher__function() knows it. */
	const char *(*function_name)(void *ctx, unsigned int fn);
	/* A process did something. */
	void (*on_event)(void *ctx, enum collector_event event, pid_t pid);
	/* Each block that comes or goes, when the BPF code was loaded for it; NULL otherwise. */
	void (*on_block)(void *ctx, const struct collected_event *e);
	void *ctx;
};

/* images stay the caller's and must outlive the collector. NULL with a sentence on failure. */
struct collector *collector__new(struct leaktrace_bpf *bpf, struct images *images, const struct collector_options *o,
				 struct err *e);
void collector__free(struct collector *c);

/* The trace begins now: no block is older than this. */
void collector__begin(struct collector *c);

/* Report exec and exit of this process from now on, and walk its stacks by the mappings of its running image. 0 or a
 * negative errno. */
int collector__watch(struct collector *c, pid_t pid);

/* Readable when records wait in the ring. */
int collector__fd(const struct collector *c);

/* Handle all records and events that wait. */
void collector__drain(struct collector *c);

/* A process has ended, as known from its pidfd or from wait(2): its image ends if the record was not seen yet. */
void collector__process_ended(struct collector *c, pid_t pid, int exit_status);

/* Read everything now; with end_window the running window ends first. Valid until the next call. NULL: no memory. */
const struct reading *collector__read(struct collector *c, bool end_window);

/*
 * Stop counting: calls that begin from now on are ignored, those under way still count. A reading after it is of one
 * moment, so that the sums over blocks and over sites are equal. Takes 20 ms, for the calls under way to return.
 */
void collector__freeze(struct collector *c);

/* Call fn for each outstanding block; stops when it returns non-zero. 0 or a negative errno. */
struct collected_block {
	uint32_t site; /* site_reading.id */
	uint64_t address, size;
	double max_age_s; /* upper bound */
};
int collector__each_block(struct collector *c, int (*fn)(void *ctx, const struct collected_block *b), void *ctx);
