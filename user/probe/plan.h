/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan: which functions of a module are probed, at which instruction and why there, how their return is seen, and which
 * calls are the allocator's own.
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "probe/exits.h"
#include "probe/family.h"
#include "probe/place.h"
#include "select/module.h"

/* How the return of a function is seen. */
enum plan_return {
	PLAN_RETURN_NONE,  /* it does not matter: what the function releases is gone when it is called */
	PLAN_RETURN_PROBE, /* by the kernel, which replaces the return address: it may not be left by an exception */
	PLAN_RETURN_INSNS, /* at each of its ret instructions */
};

struct planned_fn {
	const struct family *family;
	const struct family_fn *fn;
	const char *name;     /* what people call it */
	uint64_t vaddr, size; /* of the function, as the module numbers addresses */
	struct place place;
	uint64_t offset; /* of the probed instruction in the file */
	enum plan_return returns;
	struct addresses rets; /* PLAN_RETURN_INSNS: offsets of the ret instructions in the file */
};

/* A function that is there and is not probed. */
struct unplanned_fn {
	const struct family *family;
	const struct family_fn *fn;
	const char *name;
	bool counted_below; /* it calls one that is probed, always: nothing is missed */
	struct err why;
};

struct plan {
	const struct module *module;
	bool is_glibc_so;	    /* glibc's shared library */
	bool is_whole;		    /* an allocator's own library */
	bool glibc_realloc;	    /* its libc's realloc(p, 0) frees p: glibc, shared or static */
	VEC(struct planned_fn) fns; /* those that release first: they are attached first */
	VEC(struct unplanned_fn) left_out;
	struct lt_module internal; /* return addresses of calls that the allocators make themselves */
	VEC(char *) names;	   /* those of functions that no table has */
};

struct plan_request {
	/* Those that are looked for; ends with NULL. */
	const struct family *const *families;
	/* C++'s new and delete, too, where they do nothing but call a function that is probed. */
	bool with_callers;
	bool no_resets; /* the kernel cannot have probes on functions that reset a pool */
	/* Return probes could kill the target: see all returns at ret instructions. */
	bool no_return_probes;
};

/*
 * Plan the probes of a module. 0, also when all its functions only call others that are probed, perhaps elsewhere;
 * -ENOENT: it has none of these allocators; otherwise it has one that cannot be hooked, and the sentence says why. Free
 * with plan__free() in every case.
 */
int plan__make(struct plan *p, const struct module *m, const struct plan_request *r, struct err *e);
void plan__free(struct plan *p);

/* A sentence about all functions that are counted where they call to, into buf[size]. False: there are none. */
bool plan__word_counted_below(const struct plan *p, char *buf, size_t size);

/* What a call of it that returns NULL has done to the block. */
enum lt_failed_realloc plan__failed_realloc(const struct plan *p, const struct planned_fn *f);

/* The register that has an argument at the probed instruction; LT_NO_REG for LT_NO_ARG. */
uint8_t plan__register(const struct planned_fn *f, uint8_t arg);

/* The probed instruction's text, as in "push %rbp", into buf[size]. Returns buf. */
char *plan__insn(const struct plan *p, const struct planned_fn *f, char *buf, size_t size);
