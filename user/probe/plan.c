/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/plan.h"
#include "probe/survey.h"

#define MAX_FUNCTION (256u << 10) /* bytes; a symbol that claims more is not believed */
#define MAX_FRAGMENT (64u << 10)

/* A function while it is planned. */
struct candidate {
	struct planned_fn fn;
	struct code code;
	unsigned char *bytes; /* of code */
	bool entered;	      /* other code jumps behind its entry, not beyond the place */
	struct exits exits;
	struct err why_not; /* code: not zero when it is left out */
	int err;
};

struct making {
	struct plan *plan;
	struct survey survey;
	struct elf_image *img;
	VEC(struct candidate) fns;
	VEC(unsigned char *) fragments; /* bytes of code elsewhere */
	int err;
};

/* Registers of integer arguments (System V ABI, AMD64, 3.2.3). */
static const uint8_t arg_regs[] = {GPR_RDI, GPR_RSI, GPR_RDX, GPR_RCX, GPR_R8};

#define CALLEE_SAVED (1u << GPR_RBX | 1u << GPR_RBP | 0xfu << 12)

static uint32_t arg_mask(uint8_t arg)
{
	return arg < sizeof(arg_regs) ? 1u << arg_regs[arg] : 0;
}

/* What a probe of this function needs. A walk up the stack begins with the caller's registers. */
static struct place_needs needs_of(const struct planned_fn *f)
{
	struct place_needs n = {
		.arguments = arg_mask(f->fn->size_arg) | arg_mask(f->fn->count_arg) | arg_mask(f->fn->ptr_arg),
		.at_entry_sp = f->returns == PLAN_RETURN_PROBE,
		.unless_zero = INSN_NO_REG,
	};

	if (f->fn->op == LT_OP_FREE)
		n.unless_zero = arg_regs[f->fn->ptr_arg];
	else
		n.registers = CALLEE_SAVED;
	return n;
}

static struct code read_code(struct making *mk, uint64_t vaddr, uint64_t size, unsigned char **bytes)
{
	struct code c = {.vaddr = vaddr, .is_pic = elf_image__is_pic(mk->img)};

	*bytes = size && size <= MAX_FUNCTION ? malloc(size) : NULL;
	if (!*bytes)
		return c;
	c.bytes = *bytes;
	c.n = elf_image__read_code(mk->img, vaddr, *bytes, size);
	/* A function that leaves its segment is none. */
	if (c.n != size)
		c.n = 0;
	return c;
}

static int add_candidates(struct making *mk, const struct plan_request *r)
{
	struct found_fn *f;

	vec__each (&mk->survey.fns, f) {
		struct candidate *c = vec__add(&mk->fns);

		if (!c)
			return -ENOMEM;
		c->fn.fn = f->fn;
		c->fn.vaddr = f->vaddr;
		c->fn.size = f->size;
		c->fn.returns = f->fn->op == LT_OP_FREE		       ? PLAN_RETURN_NONE
				: f->fn->throws || r->no_return_probes ? PLAN_RETURN_INSNS
								       : PLAN_RETURN_PROBE;
		c->code = read_code(mk, f->vaddr, f->size, &c->bytes);
	}
	return 0;
}

static struct candidate *candidate_at(struct making *mk, uint64_t vaddr)
{
	struct candidate *c;

	vec__each (&mk->fns, c) {
		if (c->fn.vaddr == vaddr)
			return c;
	}
	return NULL;
}

/* Another function: its symbol has no suffix that compilers give to parts (malloc.cold). */
static int is_function(const struct elf_fn *f, void *ctx)
{
	return f->vaddr == *(uint64_t *)ctx && !strchr(f->name, '.');
}

static struct code fragment(void *ctx, uint64_t vaddr)
{
	struct making *mk = ctx;
	struct code c = {.vaddr = vaddr};
	unsigned char **bytes;
	uint64_t start, end;

	if (elf_image__each_function(mk->img, is_function, &vaddr) || elf_image__piece(mk->img, vaddr, &start, &end) ||
	    end - start > MAX_FRAGMENT)
		return c;
	bytes = vec__add(&mk->fragments);
	return bytes ? read_code(mk, start, end - start, bytes) : c;
}

static bool is_probed(void *ctx, uint64_t vaddr)
{
	struct candidate *c = candidate_at(ctx, vaddr);

	return c && !c->err && c->fn.returns == PLAN_RETURN_INSNS;
}

/* A function that ends in a jump to one that is left out is left out. */
static bool drop_dependents(struct making *mk)
{
	struct candidate *c, *other;
	bool dropped = false;
	uint64_t *jump;

	vec__each (&mk->fns, c) {
		if (c->err || c->fn.returns != PLAN_RETURN_INSNS)
			continue;
		vec__each (&c->exits.jumps.list, jump) {
			other = candidate_at(mk, *jump);
			if (!other->err)
				continue;
			c->err = err__set(&c->why_not, -ENOTSUP,
					  "it ends in a jump to %s, the returns of which cannot be seen",
					  family_fn__shown(other->fn.fn));
			dropped = true;
			break;
		}
	}
	return dropped;
}

static int find_exits(struct making *mk)
{
	const struct exits_source from = {.fragment = fragment, .is_probed = is_probed, .ctx = mk};
	struct candidate *c;

	vec__each (&mk->fns, c) {
		if (c->fn.returns != PLAN_RETURN_INSNS)
			continue;
		c->err = exits__find(&c->exits, &c->code, &from, &c->why_not);
		if (c->err == -ENOMEM)
			return c->err;
	}
	while (drop_dependents(mk))
		;
	return 0;
}

static void choose_places(struct making *mk)
{
	struct candidate *c;

	vec__each (&mk->fns, c) {
		struct place_needs needs = needs_of(&c->fn);

		place__choose(&c->fn.place, &c->code, &needs);
	}
}

/*
 * Does an instruction begin there? What looks like a branch is often the middle of another instruction: numbers near
 * zero are frequent, so chance is no small one for targets nearby. Without unwind information it may be one.
 */
static bool is_insn(struct making *mk, uint64_t vaddr)
{
	unsigned char *bytes;
	uint64_t start, end;
	struct code code;
	struct insn i;
	size_t at = 0;
	bool is;

	if (elf_image__piece(mk->img, vaddr, &start, &end))
		return true;
	code = read_code(mk, start, end - start, &bytes);
	while (at < code.n && start + at < vaddr && insn__decode(&i, code.bytes + at, code.n - at, start + at))
		at += i.length;
	is = start + at <= vaddr;
	free(bytes);
	return is;
}

/* Where in a candidate, behind its entry and not beyond the place, is target? NULL: in none. */
static struct candidate *enters(struct making *mk, uint64_t target)
{
	struct candidate *c;

	vec__each (&mk->fns, c) {
		if (target > c->fn.vaddr && target - c->fn.vaddr <= c->fn.place.offset)
			return c;
	}
	return NULL;
}

static int check_symbol(const struct elf_fn *f, void *ctx)
{
	struct candidate *c = enters(ctx, f->vaddr);

	if (c)
		c->entered = true;
	return 0;
}

/* The function's own jumps have been looked at. */
static void check_branch(struct making *mk, const struct elf_branch *b)
{
	struct candidate *c = enters(mk, b->target);

	if (c && !c->entered && (b->vaddr < c->fn.vaddr || b->vaddr - c->fn.vaddr >= c->fn.size))
		c->entered = is_insn(mk, b->vaddr);
}

static void add_internal(struct making *mk, uint64_t start, uint64_t end)
{
	struct lt_range *r = vec__add(&mk->survey.code);

	if (!r) {
		mk->err = -ENOMEM;
		return;
	}
	r->start = start;
	r->end = end;
}

/*
 * The calls that a stripped glibc makes to its own malloc and free. Everything outside malloc.c calls them through the
 * PLT, so that a program can replace them; only malloc.c calls directly (include/stdlib.h, libc_hidden_proto). In a
 * static program the whole program calls directly, so there only the names help. musl calls directly everywhere.
 */
static void take_branch(const struct elf_branch *b, void *ctx)
{
	struct making *mk = ctx;

	check_branch(mk, b);
	/* A uprobe sees the return address: the range is that one address. */
	if (mk->survey.is_glibc_so && b->is_call && candidate_at(mk, b->target))
		add_internal(mk, b->next, b->next + 1);
}

/* Places behind the entry are given up where something else leads there. */
static int check_places(struct making *mk)
{
	bool moved = false, unknown = false;
	struct candidate *c;
	int err;

	vec__each (&mk->fns, c)
		moved |= c->fn.place.offset != 0;
	if (moved || mk->survey.is_glibc_so) {
		elf_image__each_function(mk->img, check_symbol, mk);
		err = elf_image__each_branch(mk->img, take_branch, mk);
		if (err && mk->survey.is_glibc_so)
			return err;
		unknown = err;
	}
	vec__each (&mk->fns, c) {
		if (c->entered || (unknown && c->fn.place.offset))
			place__give_up(&c->fn.place, &c->code, unknown ? PLACE_NO_CODE : PLACE_ENTERED);
	}
	return mk->err;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct lt_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int fill_internal(struct making *mk)
{
	struct lt_module *out = &mk->plan->internal;
	struct lt_range *r;

	if (mk->survey.code.n)
		qsort(mk->survey.code.at, mk->survey.code.n, sizeof(*mk->survey.code.at), compare_ranges);
	vec__each (&mk->survey.code, r) {
		struct lt_range *last = out->n ? &out->ranges[out->n - 1] : NULL;

		if (last && r->start <= last->end) {
			if (r->end > last->end)
				last->end = r->end;
			continue;
		}
		if (out->n == LT_MAX_RANGES)
			return -E2BIG;
		out->ranges[out->n++] = *r;
	}
	return 0;
}

/* 0, -ENOMEM, or -EINVAL: not -ENOENT, which means that there is no allocator. */
static int add_planned(struct making *mk, const struct candidate *c)
{
	struct planned_fn *f = vec__add(&mk->plan->fns);
	uint64_t *ret, *offset;

	if (!f)
		return -ENOMEM;
	*f = c->fn;
	if (elf_image__file_offset(mk->img, f->vaddr + f->place.offset, &f->offset))
		return -EINVAL;
	vec__each (&c->exits.rets.list, ret) {
		offset = vec__add(&f->rets.list);
		if (!offset)
			return -ENOMEM;
		if (elf_image__file_offset(mk->img, *ret, offset))
			return -EINVAL;
	}
	return 0;
}

static int fill_plan(struct making *mk)
{
	struct unplanned_fn *out;
	struct candidate *c;
	int err = fill_internal(mk);

	vec__each (&mk->fns, c) {
		if (err)
			return err;
		if (!c->err) {
			err = add_planned(mk, c);
			continue;
		}
		out = vec__add(&mk->plan->left_out);
		if (!out)
			return -ENOMEM;
		out->fn = c->fn.fn;
		out->why = c->why_not;
	}
	return err;
}

static int make(struct making *mk, const struct plan_request *r)
{
	int err = add_candidates(mk, r);

	if (!err)
		err = find_exits(mk);
	if (err)
		return err;
	choose_places(mk);
	err = check_places(mk);
	return err ? err : fill_plan(mk);
}

static void end_making(struct making *mk)
{
	unsigned char **bytes;
	struct candidate *c;

	vec__each (&mk->fns, c) {
		exits__free(&c->exits);
		free(c->bytes);
	}
	vec__each (&mk->fragments, bytes)
		free(*bytes);
	vec__free(&mk->fns);
	vec__free(&mk->fragments);
	survey__free(&mk->survey);
	elf_image__close(mk->img);
}

static int none_left(const struct plan *p, struct err *e)
{
	const struct unplanned_fn *first = p->left_out.at;

	if (!first)
		return -ENOENT;
	return err__set(e, -ENOTSUP, "none of the allocator functions of %s can be hooked: %s: %s", p->module->path,
			family_fn__shown(first->fn), first->why.text);
}

int plan__make(struct plan *p, const struct module *m, const struct plan_request *r, struct err *e)
{
	struct making mk = {.plan = p};
	int err;

	memset(p, 0, sizeof(*p));
	p->module = m;
	p->family = r->family;
	/* The kernel has no allocator in it, and a probe could not be set there: it is no file that is mapped. */
	if (m->vdso)
		return -ENOENT;
	mk.img = elf_image__open(m, &err);
	if (!mk.img)
		return err == -ENOEXEC ? -ENOENT : err__set(e, err, "cannot read %s: %s", m->path, strerror(-err));
	err = survey__make(&mk.survey, mk.img, m, r->family, e);
	if (!err) {
		p->is_glibc_so = mk.survey.is_glibc_so;
		p->realloc_zero_frees = mk.survey.realloc_zero_frees;
		err = make(&mk, r);
		if (err)
			err__set(e, err, "%s: its symbols make no sense (%s); not hooked", m->path, strerror(-err));
		else if (!p->fns.n)
			err = none_left(p, e);
	}
	end_making(&mk);
	return err;
}

void plan__free(struct plan *p)
{
	struct planned_fn *f;

	vec__each (&p->fns, f)
		vec__free(&f->rets.list);
	vec__free(&p->fns);
	vec__free(&p->left_out);
}

uint8_t plan__register(const struct planned_fn *f, uint8_t arg)
{
	return arg < sizeof(arg_regs) ? f->place.where[arg_regs[arg]] : LT_NO_REG;
}

char *plan__insn(const struct plan *p, const struct planned_fn *f, char *buf, size_t size)
{
	unsigned char bytes[INSN_MAX_BYTES];
	ssize_t n = pread(p->module->fd, bytes, sizeof(bytes), (off_t)f->offset);

	return insn__text(bytes, n > 0 ? (size_t)n : 0, f->vaddr + f->place.offset, buf, size);
}
