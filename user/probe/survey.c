/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/signs.h"
#include "probe/survey.h"

/* Many more than any allocator has. */
#define MAX_CODE_RANGES 16384

/* A pass over the symbols of a module. */
struct pass {
	struct survey *s;
	struct signs signs;
	const struct family *const *families;
};

/* glibc functions that free, as a thread ends, what the program has freed before (malloc/malloc.c, tcache). */
static const char *const glibc_own[] = {"__malloc_arena_thread_freeres", "tcache_thread_shutdown",
					"__libc_thread_freeres"};

static bool is_wanted(const struct pass *p, const struct family *f)
{
	const struct family *const *wanted;

	for (wanted = p->families; *wanted; wanted++) {
		if (*wanted == f)
			return true;
	}
	return false;
}

static int add_code(struct survey *s, uint64_t start, uint64_t size)
{
	struct lt_range *r;

	if (!size || start + size < start)
		return 0;
	if (s->code.n == MAX_CODE_RANGES)
		return -E2BIG;
	r = vec__add(&s->code);
	if (!r)
		return -ENOMEM;
	r->start = start;
	r->end = start + size;
	return 0;
}

static bool comes_before(const struct found_fn *a, const struct found_fn *b)
{
	return a->by != b->by ? a->by < b->by : a->fn < b->fn;
}

/* One a place: aliases (aligned_alloc and memalign in glibc) are one function. Takes the name over. */
static int add_function(struct survey *s, const struct found_fn *f)
{
	struct found_fn *known;
	bool throws;

	vec__each (&s->fns, known) {
		if (known->vaddr != f->vaddr)
			continue;
		throws = known->throws || f->throws;
		if (comes_before(f, known)) {
			free(known->name);
			*known = *f;
		} else {
			free(f->name);
		}
		known->throws = throws;
		return 0;
	}
	known = s->fns.n < LT_MAX_FUNCTIONS ? vec__add(&s->fns) : NULL;
	if (known) {
		*known = *f;
		return 0;
	}
	free(f->name);
	return s->fns.n < LT_MAX_FUNCTIONS ? -ENOMEM : -E2BIG;
}

static int add_found(struct pass *p, const struct family *family, const struct family_fn *fn, const struct elf_fn *f,
		     enum found_by by)
{
	struct found_fn found = {
		.family = family,
		.by = by,
		.fn = fn,
		.vaddr = f->vaddr,
		.size = f->size,
		.throws = fn->throws,
	};

	if (strcmp(fn->name, f->name)) {
		found.name = strdup(f->name);
		if (!found.name)
			return -ENOMEM;
	}
	return add_function(p->s, &found);
}

/* The functions of an allocator whose names have this prefix: its own, and those of malloc(3). */
static int take_prefixed(struct pass *p, const struct family *family, const char *prefix, const struct elf_fn *f)
{
	const struct family_fn *fn;
	struct elf_fn rest = *f;
	size_t n = strlen(prefix);

	if (strncmp(f->name, prefix, n))
		return 0;
	rest.name = f->name + n;
	fn = family__find(family, rest.name);
	if (!fn && n)
		fn = family__find(&family_malloc, rest.name);
	return fn ? add_found(p, family, fn, f, FOUND_OWN) : 0;
}

static bool is_own(const struct family *f, const char *name)
{
	const char *const *begin;

	for (begin = f->own; begin && *begin; begin++) {
		if (!strncmp(name, *begin, strlen(*begin)))
			return true;
	}
	return false;
}

/* The allocators that are known by functions of their own. */
static int take_signed(struct pass *p, const struct elf_fn *f)
{
	unsigned int i, k;
	int err = 0;

	for (i = 0; i < N_SIGNS && !err; i++) {
		const struct sign *sign = &p->signs.of[i];

		if (!sign->present || !is_wanted(p, sign->family))
			continue;
		if (is_own(sign->family, f->name))
			err = add_code(p->s, f->vaddr, f->size);
		for (k = 0; !err && k < sign->n_prefixes; k++)
			err = take_prefixed(p, sign->family, sign->prefixes[k].text, f);
		if (!err && !sign->n_prefixes)
			err = take_prefixed(p, sign->family, "", f);
	}
	return err;
}

static int take_given(struct pass *p, const struct elf_fn *f)
{
	const struct family *const *family;
	const struct family_fn *fn;
	int err = 0;

	for (family = p->families; *family && !err; family++) {
		fn = (*family)->given ? family__find(*family, f->name) : NULL;
		if (fn)
			err = add_found(p, *family, fn, f, FOUND_GIVEN);
	}
	return err;
}

/* The names that all allocators have in common. */
static int take_common(struct pass *p, const struct elf_fn *f)
{
	const struct family *owner = p->signs.owner;
	const struct family_fn *fn = family__find(&family_malloc, f->name);

	if (fn)
		return owner && is_wanted(p, owner) ? add_found(p, owner, fn, f, FOUND_COMMON) : 0;
	fn = is_wanted(p, &family_cxx) ? family__find(&family_cxx, f->name) : NULL;
	return fn ? add_found(p, &family_cxx, fn, f, FOUND_CXX) : 0;
}

static int take_symbol(const struct elf_fn *f, void *ctx)
{
	struct pass *p = ctx;
	int err = take_given(p, f);
	size_t i;

	if (!err)
		err = take_common(p, f);
	if (!err)
		err = take_signed(p, f);
	for (i = 0; p->signs.is_glibc && !err && i < sizeof(glibc_own) / sizeof(glibc_own[0]); i++) {
		if (!strcmp(f->name, glibc_own[i]))
			err = add_code(p->s, f->vaddr, f->size);
	}
	return err;
}

/* What the user has given by its address. */
static int take_addresses(struct pass *p)
{
	const struct family *const *family;
	unsigned int i;
	int err = 0;

	for (family = p->families; *family; family++) {
		for (i = 0; (*family)->given && i < (*family)->n && !err; i++) {
			const struct family_fn *fn = &(*family)->fns[i];
			struct elf_fn f = {.name = fn->name, .vaddr = fn->vaddr};

			if (fn->module && !strcmp(fn->module, module__name(p->s->module)))
				err = add_found(p, *family, fn, &f, FOUND_GIVEN);
		}
	}
	return err;
}

static int compare_fns(const void *a, const void *b)
{
	const struct found_fn *x = a, *y = b;
	unsigned int order_x = family__order(x->fn->op), order_y = family__order(y->fn->op);

	if (order_x != order_y)
		return order_x < order_y ? -1 : 1;
	if (x->by != y->by)
		return (int)x->by - (int)y->by;
	return x->fn != y->fn ? (x->fn > y->fn) - (x->fn < y->fn) : (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

/* A symbol without a size: its unwind information may say where the function ends. */
static void find_sizes(struct survey *s, struct elf_image *img)
{
	uint64_t start, end;
	struct found_fn *f;

	vec__each (&s->fns, f) {
		if (!f->size && !elf_image__piece(img, f->vaddr, &start, &end) && start == f->vaddr)
			f->size = end - start;
	}
}

/* No program's own code is in there. */
static int add_all_code(struct survey *s, struct elf_image *img)
{
	uint64_t start, end;
	size_t i = 0;
	int err = 0;

	while (!err && elf_image__next_code(img, &i, &start, &end))
		err = add_code(s, start, end - start);
	return err;
}

static int read_symbols(struct pass *p, struct elf_image *img, const struct module *m)
{
	int err = signs__read(&p->signs, img, m);

	p->s->is_glibc_so = p->signs.is_glibc_so;
	p->s->is_whole = p->signs.whole;
	p->s->glibc_realloc = p->signs.is_glibc;
	if (!err)
		err = elf_image__each_function(img, take_symbol, p);
	return err ? err : take_addresses(p);
}

int survey__make(struct survey *s, struct elf_image *img, const struct module *m, const struct family *const *families,
		 struct err *e)
{
	struct pass p = {.s = s, .families = families};
	int err;

	memset(s, 0, sizeof(*s));
	s->module = m;
	err = read_symbols(&p, img, m);
	if (err)
		return err__set(e, err, "%s: its symbols make no sense (%s); not hooked", m->path, strerror(-err));
	if (!s->fns.n)
		return -ENOENT;
	if (p.signs.whole && is_wanted(&p, p.signs.whole) && add_all_code(s, img))
		return err__set(e, -ENOMEM, "out of memory");
	qsort(s->fns.at, s->fns.n, sizeof(*s->fns.at), compare_fns);
	find_sizes(s, img);
	return 0;
}

void survey__free(struct survey *s)
{
	struct found_fn *f;

	vec__each (&s->fns, f)
		free(f->name);
	vec__free(&s->fns);
	vec__free(&s->code);
}
