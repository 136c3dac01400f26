/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mappings: which file, and which place in it, an address of a process belongs to.
 *
 * The module table is shared by all processes of a trace: a libc that fifty processes map is opened once. A process's
 * mappings keep their last state when it ends, so that its stacks can still be resolved.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/vec.h"
#include "select/module.h"

struct module_table;

/* NULL when out of memory. Modules live as long as their table. */
struct module_table *module_table__new(void);
void module_table__free(struct module_table *t);

struct mapping {
	uint64_t start, end;   /* end exclusive */
	uint64_t offset;       /* of start in the file */
	struct module *module; /* NULL: executable memory without a file (JIT code) */
	uint32_t since;	       /* the caller's, 0 after a refresh */
};

struct mappings {
	VEC(struct mapping) list; /* executable ones only, by address */
};

/*
 * Read the executable mappings of a process anew. New modules are opened (module->fd stays -1 and module->open_error is
 * set when that fails). Negative errno when /proc/PID/maps cannot be read; the old list is kept then, and when the
 * process has no mappings any more (it is exiting).
 */
int mappings__refresh(struct mappings *m, struct module_table *modules, pid_t pid);

/* The mapping at an address, or NULL. */
const struct mapping *mappings__find(const struct mappings *m, uint64_t address);

void mappings__free(struct mappings *m);
