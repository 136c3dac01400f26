/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/survey.h"

/* Many more than any allocator has. */
#define MAX_CODE_RANGES 4096

/* A pass over the symbols of a module. */
struct pass {
	struct survey *s;
	bool has_malloc, has_free, has_libc_start, has_libc_memalign, evident;
};

/* glibc functions that free, as a thread ends, what the program has freed before (malloc/malloc.c, tcache). */
static const char *const internal_names[] = {"__malloc_arena_thread_freeres", "tcache_thread_shutdown",
					     "__libc_thread_freeres"};

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

/* One a place: aliases (aligned_alloc and memalign in glibc) are one function. */
static int add_function(struct survey *s, const struct family_fn *fn, const struct elf_fn *f)
{
	struct found_fn *known;

	vec__each (&s->fns, known) {
		if (known->vaddr != f->vaddr)
			continue;
		if (fn < known->fn)
			known->fn = fn;
		return 0;
	}
	if (s->fns.n == LT_MAX_FUNCTIONS)
		return -E2BIG;
	known = vec__add(&s->fns);
	if (!known)
		return -ENOMEM;
	known->fn = fn;
	known->vaddr = f->vaddr;
	known->size = f->size;
	return add_code(s, f->vaddr, f->size);
}

static int take_symbol(const struct elf_fn *f, void *ctx)
{
	const char *const *evident;
	const struct family_fn *fn;
	struct pass *p = ctx;
	size_t i;

	p->has_malloc |= !strcmp(f->name, "malloc");
	p->has_free |= !strcmp(f->name, "free");
	p->has_libc_start |= !strcmp(f->name, "__libc_start_main");
	p->has_libc_memalign |= !strcmp(f->name, "__libc_memalign"); /* glibc has it, musl not */
	for (evident = p->s->family->evident; *evident; evident++)
		p->evident |= !strcmp(f->name, *evident);
	fn = family__find(p->s->family, f->name);
	if (fn)
		return add_function(p->s, fn, f);
	for (i = 0; i < sizeof(internal_names) / sizeof(internal_names[0]); i++) {
		if (!strcmp(f->name, internal_names[i]))
			return add_code(p->s, f->vaddr, f->size);
	}
	return 0;
}

/* Whose malloc is it? Of allocators other than libc's only the presence is told here. */
static int check_libc(const struct pass *p, struct elf_image *img, struct err *e)
{
	const char *soname = elf_image__soname(img), *name = module__name(p->s->module);

	if (!p->has_malloc || !p->has_free)
		return -ENOENT;
	if (soname && !strncmp(soname, "ld-linux", 8))
		return -ENOENT; /* the loader's own, used only until libc is there */
	if (soname && !strcmp(soname, "libc.so.6")) {
		p->s->is_glibc_so = true;
		return 0;
	}
	if (!strncmp(name, "ld-musl", 7) || (soname && !strncmp(soname, "libc.", 5)))
		return 0;
	/* A static program carries its libc's start code. */
	if (!soname && p->has_libc_start)
		return 0;
	return err__set(e, -ENOTSUP, "%s brings an allocator of its own; only libc's is hooked so far", name);
}

static int check_family(const struct pass *p, struct elf_image *img, struct err *e)
{
	p->s->realloc_zero_frees = p->has_libc_memalign;
	if (p->s->family == family__libc())
		return check_libc(p, img, e);
	return p->evident ? 0 : -ENOENT;
}

static int compare_fns(const void *a, const void *b)
{
	const struct found_fn *x = a, *y = b;

	return (x->fn > y->fn) - (x->fn < y->fn);
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

int survey__make(struct survey *s, struct elf_image *img, const struct module *m, const struct family *f, struct err *e)
{
	struct pass p = {.s = s};
	int err, odd;

	memset(s, 0, sizeof(*s));
	s->family = f;
	s->module = m;
	odd = elf_image__each_function(img, take_symbol, &p);
	err = odd ? 0 : check_family(&p, img, e);
	if (err)
		return err;
	if (odd)
		return err__set(e, odd, "%s: its symbols make no sense (%s); not hooked", m->path, strerror(-odd));
	if (s->fns.n)
		qsort(s->fns.at, s->fns.n, sizeof(*s->fns.at), compare_fns);
	find_sizes(s, img);
	return 0;
}

void survey__free(struct survey *s)
{
	vec__free(&s->fns);
	vec__free(&s->code);
}
