/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/plan_making.h"

#define MAX_FUNCTION (256u << 10) /* bytes; a symbol that claims more is not believed */
#define MAX_NAMES    256
#define MAX_CODE     (16u << 20) /* of all that is read for one plan; the largest allocators have 200 KiB */

struct code making__read_code(struct making *mk, uint64_t vaddr, uint64_t size, unsigned char **bytes)
{
	struct code c = {.vaddr = vaddr};

	*bytes = size && size <= MAX_FUNCTION && size <= mk->code_left ? malloc(size) : NULL;
	if (!*bytes)
		return c;
	mk->code_left -= size;
	c.bytes = *bytes;
	c.n = elf_image__read_code(mk->img, vaddr, *bytes, size);
	/* A function that leaves its segment is none. */
	if (c.n != size)
		c.n = 0;
	return c;
}

struct candidate *making__candidate(struct making *mk, uint64_t vaddr)
{
	size_t low = 0, high = mk->by_vaddr.n, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (mk->by_vaddr.at[middle]->fn.vaddr == vaddr)
			return mk->by_vaddr.at[middle];
		if (mk->by_vaddr.at[middle]->fn.vaddr < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *const *x = a, *const *y = b;

	return (*x)->fn.vaddr < (*y)->fn.vaddr ? -1 : (*x)->fn.vaddr > (*y)->fn.vaddr;
}

/* There is one at each address; the list does not grow any more. */
static int sort_candidates(struct making *mk)
{
	struct candidate *c, **at;

	vec__each (&mk->fns, c) {
		at = vec__add(&mk->by_vaddr);
		if (!at)
			return -ENOMEM;
		*at = c;
	}
	if (mk->by_vaddr.n)
		qsort(mk->by_vaddr.at, mk->by_vaddr.n, sizeof(*mk->by_vaddr.at), compare_candidates);
	return 0;
}

static enum plan_return how_returns(const struct found_fn *f, const struct plan_request *r)
{
	if (f->fn->op == LT_OP_FREE || family_fn__ends_pool(f->fn))
		return PLAN_RETURN_NONE;
	return f->throws || r->no_return_probes ? PLAN_RETURN_INSNS : PLAN_RETURN_PROBE;
}

/* A name that no table has becomes the plan's. */
static const char *take_name(struct plan *p, struct found_fn *f)
{
	char **name;

	if (!f->name || f->fn->shown)
		return family_fn__shown(f->fn);
	name = vec__add(&p->names);
	if (!name)
		return NULL;
	*name = f->name;
	f->name = NULL;
	return *name;
}

/* The user may be wrong about it, and a probe in the middle of an instruction changes what the program does. */
static int check_address(struct making *mk, uint64_t vaddr, struct err *why)
{
	uint64_t start, end, offset;

	if (elf_image__file_offset(mk->img, vaddr, &offset))
		return err__set(why, -ENOENT, "there is no code at 0x%" PRIx64 " of the file", vaddr);
	if (elf_image__piece(mk->img, vaddr, &start, &end))
		return err__set(why, -ENOENT,
				"the file has no unwind information that tells where its functions begin: a probe at "
				"0x%" PRIx64 " might be in the middle of an instruction",
				vaddr);
	if (start != vaddr)
		return err__set(why, -ENOENT, "no function begins at 0x%" PRIx64 " of the file; one does at 0x%" PRIx64,
				vaddr, start);
	return 0;
}

static int add_candidates(struct making *mk, const struct plan_request *r)
{
	struct found_fn *f;

	vec__each (&mk->survey.fns, f) {
		struct candidate *c = vec__add(&mk->fns);

		if (!c)
			return -ENOMEM;
		c->fn.family = f->family;
		c->fn.fn = f->fn;
		c->fn.name = take_name(mk->plan, f);
		c->fn.vaddr = f->vaddr;
		c->fn.size = f->size;
		c->fn.returns = how_returns(f, r);
		c->code = making__read_code(mk, f->vaddr, f->size, &c->bytes);
		c->err = f->fn->module ? check_address(mk, f->vaddr, &c->why_not) : 0;
		if (!c->err && r->no_resets && family_fn__ends_pool(f->fn))
			c->err = err__set(
				&c->why_not, -ENOTSUP,
				"this kernel cannot go through a list in a probe (bpf_loop, Linux 5.17): what it "
				"releases looks like a leak");
		if (!c->fn.name)
			return -ENOMEM;
	}
	return sort_candidates(mk);
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
	int err = making__fill_internal(mk);

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
		out->family = c->fn.family;
		out->fn = c->fn.fn;
		out->name = c->fn.name;
		out->counted_below = c->counted_below;
		out->why = c->why_not;
	}
	return err;
}

static int make(struct making *mk, const struct plan_request *r)
{
	int err = add_candidates(mk, r);

	if (!err && !r->with_callers)
		making__leave_out_callers(mk);
	if (!err)
		err = making__find_exits(mk);
	if (!err)
		making__check_callers(mk);
	if (!err)
		err = making__choose_places(mk);
	if (!err)
		making__check_rets(mk);
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
	vec__free(&mk->by_vaddr);
	survey__free(&mk->survey);
	elf_image__close(mk->img);
}

/* All functions were left out. Is that so because others are counted in their place? */
static int none_left(const struct plan *p, struct err *e)
{
	const struct unplanned_fn *u;

	vec__each (&p->left_out, u) {
		if (!u->counted_below)
			return err__set(e, -ENOTSUP, "none of the allocator functions of %s can be hooked: %s: %s",
					p->module->path, u->name, u->why.text);
	}
	return p->left_out.n ? 0 : -ENOENT;
}

static void word_failure(const struct module *m, int err, struct err *e)
{
	if (err == -ENOMEM)
		err__set(e, err, "out of memory");
	else
		err__set(e, err, "%s: its symbols make no sense (%s); not hooked", m->path, strerror(-err));
}

int plan__make(struct plan *p, const struct module *m, const struct plan_request *r, struct err *e)
{
	struct making mk = {.plan = p, .code_left = MAX_CODE, .names_left = MAX_NAMES};
	int err;

	memset(p, 0, sizeof(*p));
	p->module = m;
	/* The kernel has no allocator in it, and a probe could not be set there: it is no file that is mapped. */
	if (m->vdso)
		return -ENOENT;
	mk.img = elf_image__open(m, &err);
	if (!mk.img)
		return err == -ENOEXEC ? -ENOENT : err__set(e, err, "cannot read %s: %s", m->path, strerror(-err));
	err = survey__make(&mk.survey, mk.img, m, r->families, e);
	if (!err) {
		p->is_glibc_so = mk.survey.is_glibc_so;
		p->is_whole = mk.survey.is_whole;
		p->glibc_realloc = mk.survey.glibc_realloc;
		err = make(&mk, r);
		if (err)
			word_failure(m, err, e);
		else if (!p->fns.n)
			err = none_left(p, e);
	}
	end_making(&mk);
	return err;
}

void plan__free(struct plan *p)
{
	struct planned_fn *f;
	char **name;

	vec__each (&p->fns, f)
		vec__free(&f->rets.list);
	vec__each (&p->names, name)
		free(*name);
	vec__free(&p->fns);
	vec__free(&p->left_out);
	vec__free(&p->names);
}

enum lt_failed_realloc plan__failed_realloc(const struct plan *p, const struct planned_fn *f)
{
	bool zero_frees = f->family == &family_libc ? p->glibc_realloc : f->family->realloc_zero_frees;

	if (f->fn->failing_frees)
		return LT_FAILED_FREES;
	return zero_frees ? LT_FAILED_ZERO_FREES : LT_FAILED_KEEPS;
}

/* Each once: C++ has many forms of the same. */
static bool was_named(const struct plan *p, const struct unplanned_fn *u)
{
	const struct unplanned_fn *before;

	for (before = p->left_out.at; before < u; before++) {
		if (before->counted_below && !strcmp(before->name, u->name))
			return true;
	}
	return false;
}

bool plan__word_counted_below(const struct plan *p, char *buf, size_t size)
{
	const struct unplanned_fn *u;
	size_t n = 0, used = 0;

	buf[0] = '\0';
	vec__each (&p->left_out, u) {
		n += u->counted_below;
		if (u->counted_below && !was_named(p, u) && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "", u->name);
	}
	if (n && used < size)
		snprintf(buf + used, size - used, " (%zu functions): they only call what is hooked", n);
	return n;
}

uint8_t plan__register(const struct planned_fn *f, uint8_t arg)
{
	uint8_t at_entry = insn__argument(arg);

	return at_entry == INSN_NO_REG ? LT_NO_REG : f->place.where[at_entry];
}

char *plan__insn(const struct plan *p, const struct planned_fn *f, char *buf, size_t size)
{
	unsigned char bytes[INSN_MAX_BYTES];
	ssize_t n = pread(p->module->fd, bytes, sizeof(bytes), (off_t)f->offset);

	return insn__text(bytes, n > 0 ? (size_t)n : 0, f->vaddr + f->place.offset, buf, size);
}
