/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan_fuzz: a libFuzzer target. The input is the code of a function, behind four bytes that say what is needed of its
 * place; or, if it begins like an ELF file, a whole file, which is planned for each family. What is chosen must be
 * right, as tests/unit/place_rules.h finds by another way, and no way out may be missing.
 */
#include <elf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/exits.h"
#include "probe/plan.h"
#include "../unit/place_rules.h"

#define VADDR	     0x401000
#define HEAD	     4
#define CALLEE_SAVED (1u << GPR_RBX | 1u << GPR_RBP | 0xfu << 12)

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The last quarter is what the compiler has put elsewhere, but right behind, so that short jumps lead there. */
struct function {
	struct code code, part;
};

static struct code fragment(void *ctx, uint64_t vaddr)
{
	const struct function *f = ctx;

	return vaddr - f->part.vaddr < f->part.n ? f->part : (struct code){.vaddr = vaddr};
}

static bool is_probed(void *ctx, uint64_t vaddr)
{
	const struct function *f = ctx;

	return vaddr % 16 == 0 && vaddr - f->code.vaddr >= f->code.n + f->part.n;
}

static bool has_address(const struct addresses *a, uint64_t vaddr)
{
	size_t i;

	for (i = 0; i < a->list.n; i++) {
		if (a->list.at[i] == vaddr)
			return true;
	}
	return false;
}

/* What can be reached, and where to go on. */
struct reached {
	const struct function *f;
	const struct exits *exits;
	bool *seen;
	uint64_t *todo;
	size_t n_todo, n_rets;
};

static void lead_to(struct reached *r, uint64_t target)
{
	uint64_t at = target - r->f->code.vaddr;

	if (at >= r->f->code.n + r->f->part.n)
		must(has_address(&r->exits->jumps, target) && is_probed((void *)r->f, target));
	else if (!r->seen[at])
		r->todo[r->n_todo++] = target;
}

static void follow(struct reached *r, uint64_t at)
{
	const struct code *c = at - VADDR < r->f->code.n ? &r->f->code : &r->f->part;
	struct insn i;

	for (; at - c->vaddr < c->n && !r->seen[at - VADDR]; at += i.length) {
		r->seen[at - VADDR] = true;
		must(insn__decode(&i, c->bytes + (at - c->vaddr), c->n - (at - c->vaddr), at));
		must(i.flow != INSN_JUMP_POINTER && i.flow != INSN_JUMP_ANYWHERE);
		if (i.flow == INSN_BRANCH || i.flow == INSN_JUMP)
			lead_to(r, i.target);
		if (i.flow == INSN_RETURN) {
			must(has_address(&r->exits->rets, at));
			r->n_rets++;
		}
		if (i.flow == INSN_JUMP || i.flow == INSN_RETURN || i.flow == INSN_END)
			return;
	}
}

static void check_reached(const struct function *f, const struct exits *x)
{
	size_t n = f->code.n + f->part.n;
	struct reached r = {.f = f, .exits = x, .seen = calloc(n, 1), .todo = calloc(n, sizeof(uint64_t))};

	must(r.seen && r.todo);
	follow(&r, f->code.vaddr);
	while (r.n_todo)
		follow(&r, r.todo[--r.n_todo]);
	must(r.n_rets == x->rets.list.n);
	free(r.seen);
	free(r.todo);
}

static void check_exits(struct function *f)
{
	const struct exits_source from = {.fragment = fragment, .is_probed = is_probed, .ctx = f};
	struct err e = {};
	struct exits x;

	if (exits__find(&x, &f->code, &from, &e))
		must(e.text[0]);
	else
		check_reached(f, &x);
	exits__free(&x);
}

static void check_function(const uint8_t *data, size_t n)
{
	const struct place_needs needs = {
		.at_entry_sp = data[0] & 1,
		.registers = data[0] & 8 ? CALLEE_SAVED : 0,
		.arguments = (uint32_t)(data[1] | data[2] << 8) & ~(1u << GPR_RSP),
		.unless_zero = data[0] & 4 ? data[0] >> 4 : INSN_NO_REG,
	};
	struct function f = {
		.code = {.bytes = data + HEAD, .n = n - HEAD, .vaddr = VADDR},
	};
	struct place p;

	place__choose(&p, &f.code, &needs);
	must(!place_violation(&p, &f.code, &needs));
	f.code.n -= f.code.n / 4;
	f.part = (struct code){.bytes = data + HEAD + f.code.n, .n = n - HEAD - f.code.n, .vaddr = VADDR + f.code.n};
	check_exits(&f);
}

static void check_plan(const struct plan *p)
{
	size_t i;

	must(p->fns.n > 0 && p->fns.n <= LT_MAX_FUNCTIONS && p->internal.n <= LT_MAX_RANGES);
	for (i = 0; i < p->fns.n; i++) {
		const struct planned_fn *f = &p->fns.at[i];

		must(f->rets.list.n <= EXITS_MAX && (f->returns == PLAN_RETURN_INSNS || !f->rets.list.n));
		must(!f->place.offset || (f->place.emulated && f->place.offset < f->size));
		must(!f->place.sp_offset || f->returns != PLAN_RETURN_PROBE);
	}
	for (i = 1; i < p->internal.n; i++)
		must(p->internal.ranges[i - 1].end < p->internal.ranges[i].start);
}

static void check_file(const uint8_t *data, size_t n)
{
	static const struct family *const families[] = {
		&family_libc, &family_malloc, &family_jemalloc, &family_tcmalloc, &family_mimalloc, &family_cxx, NULL};
	struct module m = {.path = (char *)"/lib/libc.so", .root_fd = -1};
	struct plan p;
	size_t i;

	m.fd = memfd_create("plan_fuzz", MFD_CLOEXEC);
	must(m.fd >= 0 && write(m.fd, data, n) == (ssize_t)n);
	for (i = 0; i < 4; i++) {
		struct plan_request r = {.families = families, .with_callers = i / 2, .no_return_probes = i % 2};
		struct err e = {};

		if (!plan__make(&p, &m, &r, &e))
			check_plan(&p);
		plan__free(&p);
	}
	close(m.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n >= SELFMAG && !memcmp(data, ELFMAG, SELFMAG))
		check_file(data, n);
	else if (n >= HEAD)
		check_function(data, n);
	return 0;
}
