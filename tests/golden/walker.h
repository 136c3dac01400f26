/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walker: the call stack of a stopped thread, by libdwfl: a reader of unwind information that shares no line with
 * leaktrace's own. It reads registers by ptrace and memory by /proc/PID/mem.
 */
#pragma once

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "chains.h"
#include "maps.h"
#include "slots.h"

#define STACK_WINDOW (64 << 10)

struct walker {
	pid_t pid;
	int memory, program;
	Elf *elf;
	Dwfl *dwfl;
	struct maps maps;
	struct slots slots;
	uint64_t known_files; /* maps.files that dwfl knows of */
	uint64_t trampolines; /* words of return probes that were put back; */
	uint64_t strange;     /* and those that nobody had recorded */
	const struct user_regs_struct *regs;
	uint64_t window; /* address of bytes[0] */
	size_t window_n;
	uint8_t bytes[STACK_WINDOW];
	struct chain *chain; /* under way */
	char error[128];     /* of the last chain that failed */
	bool no_guesses;     /* a chain ends where there is no unwind information */
	bool from_caller;    /* the walk under way began at the return address, not at the function */
};

/* pid is stopped and traced by the caller. Complains and returns -1 when it cannot be walked. */
int walker__open(struct walker *w, pid_t pid);
/* Learn of mappings that came or went. */
void walker__refresh(struct walker *w);
/* Forget what memory held: the process has run. */
void walker__see(struct walker *w, const struct user_regs_struct *regs);
/* A word of memory; 0 or -1. A return probe's word reads as what it replaced, if that was recorded. */
int walker__read(struct walker *w, uint64_t address, uint64_t *value);
/* Walk the thread with the registers seen last, from its caller outwards, into c->words[MAX_FRAMES]. */
void walker__walk(struct walker *w, pid_t tid, struct chain *c);
/* Address and size of a function of the module whose path holds `module`; -1: there is none. */
int walker__function(struct walker *w, const char *module, const char *name, uint64_t *address, uint64_t *size);
void walker__close(struct walker *w);
