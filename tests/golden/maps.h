/* SPDX-License-Identifier: GPL-2.0-only */
/* maps: the executable mappings of the process, as /proc/PID/maps has them now. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"

struct exec_map {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	int path;	 /* index of paths, or -1: anonymous */
};

struct maps {
	VEC(struct exec_map) all; /* by address */
	VEC(char *) paths;	  /* every one met so far; an index stays what it is */
	uint64_t files;		  /* a hash of the mappings of files: another value when a library came or went */
	uint64_t uprobes;	  /* where the kernel put the page of its return probes, 0: nowhere yet */
};

/* Read them again; 0 or a negative errno. */
int maps__read(struct maps *m, pid_t pid);
/* The mapping of pc, or NULL. */
const struct exec_map *maps__find(const struct maps *m, uint64_t pc);
void maps__free(struct maps *m);
