/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * images: the address spaces of a trace. A process has one at a time, and a new one at each exec; an image that has
 * ended stays in the list with what was known of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"
#include "collect/perf_map.h"
#include "collect/reading.h"
#include "select/mappings.h"

struct lt_rec_process;

struct image {
	pid_t pid;
	uint32_t slot;	    /* LT_NO_SLOT until its first allocation or free */
	double start_time;  /* seconds since the epoch */
	char comm[64];	    /* terminal-safe */
	char *exe, *cgroup; /* terminal-safe; NULL unknown */
	enum image_end end;
	uint64_t end_ns;	  /* monotonic */
	int exit_status;	  /* wait(2) status, -1 unknown */
	int64_t rss_bytes;	  /* as last seen, -1 unknown */
	struct mappings mappings; /* since: epoch, no earlier than when they came to be there */
	struct mappings earlier;  /* the reading before */
	/* lt_space.stale while they were read: nothing was unloaded in between; LT_NO_EPOCH: it was. */
	uint32_t epoch, earlier_epoch, first_epoch;
	bool mappings_stale;  /* to be read again when an address is not found in them */
	uint64_t mappings_ns; /* monotonic time before they were read last */
	uint32_t space;	      /* of the kernel side's copy; LT_NO_SPACE: there is none */
	uint32_t exec_id;     /* see struct lt_target */
	struct perf_map *jit; /* NULL until a frame needs it */
	uint64_t jit_since_ns, jit_spent_ns;
};

struct images {
	VEC(struct image *) list;
	struct module_table *modules; /* not owned */
	struct spaces *spaces;	      /* not owned; NULL: stacks are not walked by tables */
};

/* A new running image of a process, with what /proc says about it now. NULL when out of memory. */
struct image *images__add(struct images *all, pid_t pid);

/*
 * What the kernel side says of an image. Its name is that of the moment, while /proc may already know the next image of
 * the process, or nothing: short-lived programs are gone before anyone asks.
 */
void image__learn(struct image *img, const struct lt_rec_process *rec);

/* The image of a process that runs now, or NULL. */
struct image *images__running(struct images *all, pid_t pid);

/* The image with this slot, or NULL; and its index in the list. */
struct image *images__by_slot(struct images *all, uint32_t slot, unsigned int *index);

/* It has ended: its process has exited or runs another program now. */
void image__ended(struct image *img, struct images *all, enum image_end end, uint64_t time_ns);

/* Read the mappings again and tell the kernel side. 0 or a negative errno, see mappings__refresh(). */
int image__read_mappings(struct image *img, struct images *all);

/* The same if they are stale and the process runs. */
void image__refresh_mappings(struct image *img, struct images *all);

/* The mapping that holds pc; NULL when none does, also after another look if they are stale. */
const struct mapping *image__find(struct image *img, struct images *all, uint64_t pc);

/*
 * Name those of a stack's n frames that belong to no file, as the perf map of the process is now. How much time that
 * may take is bounded: a process that rewrites its map all the time loses names, not our time.
 */
void image__name_jit(struct image *img, struct frame *frames, unsigned int n);

void images__free(struct images *all);
