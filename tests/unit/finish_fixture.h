/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * finish_fixture: the state of this process at the first instruction of a function, as the kernel side would copy it,
 * and the stack of that moment as libgcc's unwinder sees it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "select/mappings.h"
#include "unwind/finish.h"

#define MAX_COPY   (32u << 10)
#define MAX_PCS	   128
#define N_REGS	   17
#define REG_FP	   6
#define REG_SP	   7
#define REG_PC	   16
#define NO_ASAN	   __attribute__((no_sanitize("address", "undefined")))
#define NOINLINE   __attribute__((noinline, noclone))
#define KEEP_FRAME __asm__ volatile("" ::: "memory")

struct moment {
	uint64_t regs[N_REGS];
	uint8_t bytes[MAX_COPY];
	size_t size;
	uint64_t pcs[MAX_PCS]; /* from the caller of probe() on */
	bool interrupted[MAX_PCS];
	unsigned int n;
};

extern struct moment moment;

/* Fills `moment` with the state at its first instruction. A function that tests call, or have called. */
void probe(void);

/* A view of this process. */
struct view {
	struct module_table *modules;
	struct mappings m;
	struct finisher *f;
};

struct view look(void);
void look_away(struct view *v);

struct result {
	uint64_t pcs[MAX_PCS];
	bool interrupted[MAX_PCS];
	unsigned int n, flags;
	enum lt_stack_end end;
};

struct stack_copy copy_of(const struct moment *at);
struct result walk(struct view *v, const struct stack_copy *copy, unsigned int max);

/* Walks `moment`, and the result must be libgcc's, to the outermost frame. */
void check_moment(void);

/* The same where libgcc cannot walk: the last frames are those of `from`, the others `between` of the probe and those.
 */
void check_beyond(const struct moment *from, unsigned int between, unsigned int flags);

/* Set-up and tear-down of a group: a folder of its own. */
extern char dir[];
int make_folder(void **state);
int remove_folder(void **state);

typedef void call(void);

/*
 * Compile a library under this name, with these flags, change the file with this command, and load it. It has
 * plain(call *), realigned(call *, int size) and deep(call *, int depth), and bind(call *), where
 * the loader calls back while it binds a function; with -DSLOW, too, slow(call *, int depth),
 * whose rules take milliseconds to find.
 */
void *load_library(const char *name, const char *flags, const char *change);

/* The command that takes its section headers away: e_shoff; e_shnum and e_shstrndx. */
#define HEADLESS(name)                                                                                                 \
	"head -c 8 /dev/zero | dd of=" name " bs=1 seek=40 conv=notrunc status=none && "                               \
	"head -c 4 /dev/zero | dd of=" name " bs=1 seek=60 conv=notrunc status=none"
