/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/elf_image.h"
#include "probe/plan.h"

/* Before neighbours are joined; many more than any libc has. */
#define MAX_INTERNAL 4096

/* What a pass over the symbols of a module found. */
struct survey {
	struct plan *plan;
	VEC(struct lt_range) internal;
	bool has_malloc, has_free, has_libc_start, has_libc_memalign;
	int err;
};

/* glibc functions that free, as a thread ends, what the program has freed before (malloc/malloc.c, tcache). */
static const char *const internal_names[] = {"__malloc_arena_thread_freeres", "tcache_thread_shutdown",
					     "__libc_thread_freeres"};

static int add_internal(struct survey *s, uint64_t start, uint64_t size)
{
	struct lt_range *r;

	if (!size || start + size < start)
		return 0;
	if (s->internal.n == MAX_INTERNAL)
		return s->err = -E2BIG;
	r = vec__add(&s->internal);
	if (!r)
		return s->err = -ENOMEM;
	r->start = start;
	r->end = start + size;
	return 0;
}

static int rank_of(const struct family *f, const struct family_fn *fn)
{
	return (int)(fn - f->fns);
}

/* One probe an address: aliases (aligned_alloc and memalign in glibc) are one function. */
static int add_function(struct survey *s, const struct family_fn *fn, const struct elf_fn *f)
{
	struct planned_fn *known;

	vec__each (&s->plan->fns, known) {
		if (known->vaddr != f->vaddr)
			continue;
		if (rank_of(s->plan->family, fn) < rank_of(s->plan->family, known->fn))
			known->fn = fn;
		return 0;
	}
	if (s->plan->fns.n == LT_MAX_FUNCTIONS)
		return s->err = -E2BIG;
	known = vec__add(&s->plan->fns);
	if (!known)
		return s->err = -ENOMEM;
	known->fn = fn;
	known->vaddr = f->vaddr;
	known->size = f->size;
	return add_internal(s, f->vaddr, f->size);
}

static int survey_function(const struct elf_fn *f, void *ctx)
{
	const struct family_fn *fn;
	struct survey *s = ctx;
	size_t i;

	s->has_malloc |= !strcmp(f->name, "malloc");
	s->has_free |= !strcmp(f->name, "free");
	s->has_libc_start |= !strcmp(f->name, "__libc_start_main");
	s->has_libc_memalign |= !strcmp(f->name, "__libc_memalign"); /* glibc has it, musl not */
	fn = family__find(s->plan->family, f->name);
	if (fn)
		return add_function(s, fn, f);
	for (i = 0; i < sizeof(internal_names) / sizeof(internal_names[0]); i++) {
		if (!strcmp(f->name, internal_names[i]))
			return add_internal(s, f->vaddr, f->size);
	}
	return 0;
}

static void add_internal_call(uint64_t ret, void *ctx)
{
	/* A uprobe sees the return address: the range is that one address. */
	add_internal(ctx, ret, 1);
}

/*
 * The calls that a stripped glibc makes to its own malloc and free. Everything outside malloc.c calls them through the
 * PLT, so that a program can replace them; only malloc.c calls directly (include/stdlib.h, libc_hidden_proto). In a
 * static program the whole program calls directly, so there only the names help. musl calls directly everywhere.
 */
static void survey_internal_calls(struct survey *s, struct elf_image *img)
{
	struct planned_fn *f;

	if (!s->plan->is_glibc_so)
		return;
	vec__each (&s->plan->fns, f)
		elf_image__each_call(img, f->vaddr, add_internal_call, s);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct lt_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int fill_internal(struct survey *s)
{
	struct lt_module *out = &s->plan->internal;
	struct lt_range *r;

	if (s->internal.n)
		qsort(s->internal.at, s->internal.n, sizeof(*s->internal.at), compare_ranges);
	vec__each (&s->internal, r) {
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

static int compare_fns(const void *a, const void *b)
{
	const struct planned_fn *x = a, *y = b;

	return (x->fn > y->fn) - (x->fn < y->fn);
}

static int resolve_offsets(struct plan *p, struct elf_image *img)
{
	struct planned_fn *f;

	vec__each (&p->fns, f) {
		/* Not -ENOENT, which means that there is no allocator. */
		if (elf_image__file_offset(img, f->vaddr, &f->offset))
			return -EINVAL;
	}
	/* The table names what releases first. Attached first, too: a block whose birth is seen is seen to go. */
	qsort(p->fns.at, p->fns.n, sizeof(*p->fns.at), compare_fns);
	return 0;
}

/* Whose malloc is it? Of allocators other than libc's only the presence is told here. */
static int check_family(struct survey *s, struct elf_image *img, struct err *e)
{
	const char *soname = elf_image__soname(img), *name = module__name(s->plan->module);

	if (!s->has_malloc || !s->has_free)
		return -ENOENT;
	s->plan->realloc_zero_frees = s->has_libc_memalign;
	if (soname && !strncmp(soname, "ld-linux", 8))
		return -ENOENT; /* the loader's own, used only until libc is there */
	if (soname && !strcmp(soname, "libc.so.6")) {
		s->plan->is_glibc_so = true;
		return 0;
	}
	if (!strncmp(name, "ld-musl", 7) || (soname && !strncmp(soname, "libc.", 5)))
		return 0;
	/* A static program carries its libc's start code. */
	if (!soname && s->has_libc_start)
		return 0;
	return err__set(e, -ENOTSUP, "%s brings an allocator of its own; only libc's is hooked so far", name);
}

static int finish(struct survey *s, struct elf_image *img)
{
	int err;

	if (!s->err)
		survey_internal_calls(s, img);
	err = s->err ? s->err : fill_internal(s);
	return err ? err : resolve_offsets(s->plan, img);
}

int plan__make(struct plan *p, const struct module *m, struct err *e)
{
	struct survey s = {.plan = p};
	struct elf_image *img;
	int err;

	memset(p, 0, sizeof(*p));
	p->module = m;
	p->family = family__libc();
	/* The kernel has no allocator in it, and a probe could not be set there: it is no file that is mapped. */
	if (m->vdso)
		return -ENOENT;
	img = elf_image__open(m, &err);
	if (!img)
		return err == -ENOEXEC ? -ENOENT : err__set(e, err, "cannot read %s: %s", m->path, strerror(-err));
	elf_image__each_function(img, survey_function, &s);
	err = s.err ? 0 : check_family(&s, img, e);
	if (err)
		goto out;
	err = finish(&s, img);
	if (err)
		err__set(e, err, "%s: its symbols make no sense (%s); not hooked", m->path, strerror(-err));
out:
	elf_image__close(img);
	vec__free(&s.internal);
	return err;
}

void plan__free(struct plan *p)
{
	vec__free(&p->fns);
}
