/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "probe/signs.h"

/* A pass over the symbols of a module. */
struct pass {
	struct signs *s;
	bool has_free, has_libc_start, has_libc_memalign;
	uint64_t malloc_at, mi_malloc_at;
};

static bool has_sign(const struct family *f, const char *name)
{
	const char *const *evident;

	for (evident = f->evident; *evident; evident++) {
		if (!strcmp(name, *evident))
			return true;
	}
	return false;
}

/* The place of a prefix of n bytes, made if there is room. */
static struct sign_prefix *find_prefix(struct sign *sign, const char *name, size_t n)
{
	struct sign_prefix *p;

	for (p = sign->prefixes; p < sign->prefixes + sign->n_prefixes; p++) {
		if (strlen(p->text) == n && !memcmp(p->text, name, n))
			return p;
	}
	if (n >= sizeof(p->text) || sign->n_prefixes == SIGNS_PREFIXES)
		return NULL;
	memcpy(p->text, name, n);
	sign->n_prefixes++;
	return p;
}

static void see_prefix(struct sign *sign, const char *name, size_t n, unsigned int what)
{
	struct sign_prefix *p = find_prefix(sign, name, n);

	if (p)
		p->seen |= what;
}

static bool ends_with(const char *name, const char *end, size_t *before)
{
	size_t n = strlen(name), length = strlen(end);

	*before = n - length;
	return n >= length && !strcmp(name + n - length, end);
}

/*
 * PREFIXmallocx is a name that wrappers have, too. What is linked in whole has PREFIXmallctl; where the linker has
 * dropped what is not called, the names of inner functions are there, with a prefix that is nearly always the same.
 */
enum { SEEN_ITSELF = 1, SEEN_INNER = 2 };

static void take_prefixed(struct sign *sign, const char *name)
{
	const struct family *f = sign->family;
	const char *inner = strstr(name, f->evident_inner);
	size_t n;

	if (ends_with(name, f->evident[0], &n))
		see_prefix(sign, name, n, SEEN_ITSELF);
	if (ends_with(name, f->evident[1], &n))
		see_prefix(sign, name, n, SEEN_INNER);
	if (inner)
		see_prefix(sign, name, (size_t)(inner - name), SEEN_INNER);
}

static void drop_prefixes(struct sign *sign)
{
	unsigned int i, n = 0;

	for (i = 0; i < sign->n_prefixes; i++) {
		if (sign->prefixes[i].seen == (SEEN_ITSELF | SEEN_INNER))
			sign->prefixes[n++] = sign->prefixes[i];
	}
	sign->n_prefixes = n;
	sign->present |= n > 0;
}

static int take_symbol(const struct elf_fn *f, void *ctx)
{
	struct pass *p = ctx;
	unsigned int i;

	if (!strcmp(f->name, "malloc"))
		p->malloc_at = f->vaddr;
	else if (!strcmp(f->name, "mi_malloc"))
		p->mi_malloc_at = f->vaddr;
	p->has_free |= !strcmp(f->name, "free");
	p->has_libc_start |= !strcmp(f->name, "__libc_start_main");
	p->has_libc_memalign |= !strcmp(f->name, "__libc_memalign"); /* glibc has it, musl not */
	for (i = 0; i < N_SIGNS; i++) {
		struct sign *sign = &p->s->of[i];

		if (sign->family->has_prefix)
			take_prefixed(sign, f->name);
		else
			sign->present |= has_sign(sign->family, f->name);
	}
	return 0;
}

static bool has_bare_names(const struct sign *sign)
{
	unsigned int i;

	for (i = 0; i < sign->n_prefixes; i++) {
		if (!sign->prefixes[i].text[0])
			return true;
	}
	return false;
}

/* Is it a libc, or a static program, which carries its libc's start code? */
static bool is_libc(const struct pass *p, const char *soname, const char *name)
{
	if (!soname)
		return p->has_libc_start || !strncmp(name, "ld-musl", 7);
	return !strncmp(soname, "libc.", 5) || !strncmp(name, "ld-musl", 7);
}

static const struct family *find_owner(const struct pass *p, const char *soname, const char *name)
{
	const struct sign *of = p->s->of;

	/* A static program carries what of its libc it calls: free, or not. */
	if (!p->malloc_at || (!p->has_free && (soname || !p->has_libc_start)))
		return NULL;
	if (soname && !strncmp(soname, "ld-linux", 8))
		return NULL; /* the loader's own, used only until libc is there */
	if (has_bare_names(&of[SIGN_JEMALLOC]))
		return &family_jemalloc;
	if (of[SIGN_TCMALLOC].present)
		return &family_tcmalloc;
	/* mimalloc may be built to leave malloc alone. */
	if (of[SIGN_MIMALLOC].present && p->malloc_at == p->mi_malloc_at)
		return &family_mimalloc;
	return is_libc(p, soname, name) ? &family_libc : &family_malloc;
}

static const struct family *find_whole(const struct signs *s, const char *soname)
{
	unsigned int i;

	for (i = 0; soname && i < N_SIGNS; i++) {
		const struct family *f = s->of[i].family;

		if (s->of[i].present && !strncmp(soname, f->soname, strlen(f->soname)))
			return f;
	}
	return NULL;
}

int signs__read(struct signs *s, struct elf_image *img, const struct module *m)
{
	static const struct family *const known[] = {&family_jemalloc, &family_tcmalloc, &family_mimalloc};
	const char *soname = elf_image__soname(img);
	struct pass p = {.s = s};
	unsigned int i;
	int err;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < N_SIGNS; i++)
		s->of[i].family = known[i];
	err = elf_image__each_function(img, take_symbol, &p);
	for (i = 0; i < N_SIGNS; i++) {
		if (s->of[i].family->has_prefix)
			drop_prefixes(&s->of[i]);
	}
	s->is_glibc_so = soname && !strcmp(soname, "libc.so.6");
	s->is_glibc = p.has_libc_memalign;
	s->owner = find_owner(&p, soname, module__name(m));
	s->whole = find_whole(s, soname);
	return err;
}
