/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>

#include "probe/plan_making.h"

#define PADDING_MAX 63 /* between two functions that are aligned to lines of the cache */

struct ranges {
	VEC(struct lt_range) list;
};

static int add(struct ranges *r, uint64_t start, uint64_t end)
{
	struct lt_range *added = end > start ? vec__add(&r->list) : NULL;

	if (added)
		*added = (struct lt_range){start, end};
	return end > start && !added ? -ENOMEM : 0;
}

static int compare(const void *a, const void *b)
{
	const struct lt_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void sort(struct ranges *r)
{
	if (r->list.n)
		qsort(r->list.at, r->list.n, sizeof(*r->list.at), compare);
}

/* Is there nothing but padding? A function of a few bytes may be there, too, and its calls are the program's. */
static bool is_padding(struct making *mk, uint64_t start, uint64_t end)
{
	unsigned char bytes[PADDING_MAX];
	struct code code = {.vaddr = start, .bytes = bytes};
	struct insn i;
	size_t at;

	if (end - start > PADDING_MAX)
		return false;
	code.n = elf_image__read_code(mk->img, start, bytes, end - start);
	for (at = 0; at < code.n; at += i.length) {
		if (!code__decode(&i, &code, at) || !(i.is_nop || i.flow == INSN_END))
			return false;
	}
	return code.n == end - start;
}

static int append(struct making *mk, uint64_t start, uint64_t end)
{
	struct lt_module *out = &mk->plan->internal;
	struct lt_range *last = out->n ? &out->ranges[out->n - 1] : NULL;

	if (start >= end)
		return 0;
	if (last && (start <= last->end || is_padding(mk, last->end, start))) {
		if (end > last->end)
			last->end = end;
		return 0;
	}
	if (out->n == LT_MAX_RANGES)
		return -E2BIG;
	out->ranges[out->n++] = (struct lt_range){start, end};
	return 0;
}

/* A range without the functions that are left out: what these call is counted there. Both are sorted. */
static int append_around(struct making *mk, const struct lt_range *r, const struct ranges *left_out)
{
	uint64_t start = r->start;
	struct lt_range *hole;
	int err = 0;

	vec__each (&left_out->list, hole) {
		if (err || hole->end <= start || hole->start >= r->end)
			continue;
		err = append(mk, start, hole->start);
		start = hole->end;
	}
	return err ? err : append(mk, start, r->end);
}

/* A symbol may claim more than its function has, and what is behind it is another's. */
static uint64_t end_of(struct making *mk, const struct candidate *c)
{
	uint64_t vaddr = c->fn.vaddr, start, end;

	if (!elf_image__piece(mk->img, vaddr, &start, &end) && end - vaddr < c->fn.size)
		return end;
	return c->code.n ? vaddr + c->code.n : vaddr;
}

static int collect_functions(struct making *mk, struct ranges *own, struct ranges *left_out)
{
	struct candidate *c;
	int err = 0;

	vec__each (&mk->fns, c)
		err = err ? err : add(c->err ? left_out : own, c->fn.vaddr, end_of(mk, c));
	sort(left_out);
	return err;
}

static int append_all(struct making *mk, struct ranges *own, const struct ranges *left_out)
{
	struct lt_range *r;
	int err = 0;

	mk->plan->internal.n = 0;
	sort(own);
	vec__each (&own->list, r)
		err = err ? err : append_around(mk, r, left_out);
	return err;
}

/* With inner functions there may be too many ranges for the kernel side; those that are hooked must all be there. */
int making__fill_internal(struct making *mk)
{
	struct ranges own = {}, all = {}, left_out = {};
	struct lt_range *r;
	int err = collect_functions(mk, &own, &left_out);

	vec__each (&own.list, r)
		err = err ? err : add(&all, r->start, r->end);
	vec__each (&mk->survey.code, r)
		err = err ? err : add(&all, r->start, r->end);
	if (!err)
		err = append_all(mk, &all, &left_out);
	if (err == -E2BIG)
		err = append_all(mk, &own, &left_out);
	vec__free(&own.list);
	vec__free(&all.list);
	vec__free(&left_out.list);
	return err;
}
