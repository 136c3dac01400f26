/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "probe/allocator_parsing.h"
#include "probe/allocator_spec.h"

#define MAX_FILE     (1u << 20) /* bytes; /dev/zero has no end */
#define SHOWN_PATH   "%.200s"
#define PREFIX_SIZE  64
#define PREFIX_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$."

/* A family and its functions in one piece. */
struct given {
	struct family family;
	struct family_fn fns[];
};

void allocator_specs__free(struct allocator_specs *s)
{
	struct family **family;
	char **string;

	vec__each (&s->list, family)
		free(*family);
	vec__each (&s->strings, string)
		free(*string);
	vec__free(&s->list);
	vec__free(&s->strings);
}

/* A copy that lives as long as s does; NULL when out of memory. */
static const char *keep(struct allocator_specs *s, const char *text, size_t n)
{
	char **slot = vec__add(&s->strings);

	return slot ? *slot = strndup(text, n) : NULL;
}

/* A family with room for n functions, NULL when out of memory. */
static struct given *add_given(struct allocator_specs *s, const char *name, unsigned int n)
{
	struct given *g = name ? calloc(1, sizeof(*g) + n * sizeof(g->fns[0])) : NULL;
	struct family **slot = g ? vec__add(&s->list) : NULL;

	if (!slot) {
		free(g);
		return NULL;
	}
	g->family = (struct family){.name = name, .fns = g->fns, .realloc_zero_frees = true, .given = true};
	*slot = &g->family;
	return g;
}

/* The last one is complete, or it is none. */
static int finish_given(struct allocator_specs *s, struct given *g, bool complete, struct err *e)
{
	if (complete)
		return 0;
	if (g) {
		s->list.n--;
		free(g);
	}
	return err__set(e, -ENOMEM, "out of memory");
}

/* Each can be told from the others. */
static int check_new(const struct allocator_specs *s, const char *where, const char *name, size_t n, struct err *e)
{
	struct family **other;

	if (s->list.n == ALLOCATOR_SPECS_MAX)
		return err__set(e, -EINVAL, "%s: at most %d allocators can be described", where, ALLOCATOR_SPECS_MAX);
	vec__each (&s->list, other) {
		if (!strncmp((*other)->name, name, n) && !(*other)->name[n])
			return err__set(e, -EINVAL, "%s: '%s' is described already; give each its own name", where,
					(*other)->name);
	}
	return 0;
}

static uint8_t arg(uint8_t from_1)
{
	return from_1 ? from_1 - 1 : LT_NO_ARG;
}

static bool add_fn(struct allocator_specs *s, struct given *g, const struct spec *from, const struct spec_fn *f)
{
	const char *name = keep(s, f->name.at, f->name.n);
	const char *module = f->module ? keep(s, f->name.at, f->module) : NULL;

	g->fns[g->family.n++] = (struct family_fn){
		.name = name,
		.op = f->op,
		.size_arg = arg(f->args[SPEC_SIZE]),
		.count_arg = arg(f->args[SPEC_COUNT]),
		.ptr_arg = arg(f->args[f->op == LT_OP_ALLOC_PTR ? SPEC_RESULT : SPEC_PTR]),
		.pool_arg = arg(f->args[SPEC_POOL]),
		.throws = spec_fn__allocates(f) && !f->nothrow && !from->nothrow,
		.module = module,
		.vaddr = f->vaddr,
	};
	return name && (module || !f->module);
}

static int add_spec(struct allocator_specs *s, const char *where, const char *text, struct err *e)
{
	struct spec spec = {.where = where, .text = text, .e = e};
	struct given *g;
	unsigned int r, i;
	bool ok;
	int err = spec__parse(&spec);

	if (!err)
		err = check_new(s, where, spec.name.at, spec.name.n, e);
	if (err)
		return err;
	g = add_given(s, keep(s, spec.name.at, spec.name.n), spec.n);
	ok = g;
	for (r = 0; r < FAMILY_ORDERS; r++) {
		for (i = 0; ok && i < spec.n; i++) {
			if (family__order(spec.fns[i].op) == r)
				ok = add_fn(s, g, &spec, &spec.fns[i]);
		}
	}
	return finish_given(s, g, ok, e);
}

/* The whole file into *text. */
static int read_file(const char *path, char **text, struct err *e)
{
	__cleanup_fclose FILE *f = fopen(path, "re");
	char *buf = f ? malloc(MAX_FILE + 1) : NULL;
	size_t n;
	int err;

	errno = f && !buf ? ENOMEM : errno;
	n = buf ? fread(buf, 1, MAX_FILE + 1, f) : 0;
	err = !buf || ferror(f) ? -errno : 0;
	*text = buf;
	if (err)
		return err__set(e, err, "--allocator: " SHOWN_PATH ": %s; give a file with a spec on each line", path,
				strerror(-err));
	if (n > MAX_FILE)
		return err__set(e, -EINVAL, "--allocator: " SHOWN_PATH " is larger than 1 MiB; give a file of specs",
				path);
	buf[n] = '\0';
	if (strlen(buf) < n)
		return err__set(e, -EINVAL,
				"--allocator: " SHOWN_PATH " is no text: byte %zu is 0; give a file of specs", path,
				strlen(buf) + 1);
	return 0;
}

/* A comment begins a line, or follows a blank. */
static void cut_comment(char *line)
{
	char *c;

	for (c = line; (c = strchr(c, '#')); c++) {
		if (c == line || strchr(" \t", c[-1])) {
			*c = '\0';
			return;
		}
	}
}

static int add_file(struct allocator_specs *s, const char *path, struct err *e)
{
	__cleanup_free char *text = NULL;
	char *line, *rest, where[256];
	unsigned int number = 0, found = 0;
	int err = read_file(path, &text, e);

	for (rest = text; !err && (line = strsep(&rest, "\n"));) {
		number++;
		cut_comment(line);
		if (!line[strspn(line, " \t\r")])
			continue;
		found++;
		snprintf(where, sizeof(where), "--allocator: " SHOWN_PATH ", line %u", path, number);
		err = add_spec(s, where, line, e);
	}
	if (!err && !found)
		return err__set(e, -EINVAL, "--allocator: " SHOWN_PATH " has no spec in it; write one a line", path);
	return err;
}

int allocator_specs__add(struct allocator_specs *s, const char *text, struct err *e)
{
	if (text[0] != '@')
		return add_spec(s, "--allocator", text, e);
	if (!text[1])
		return err__set(e, -EINVAL, "--allocator: '@' is not followed by a file; give one, as in @FILE");
	return add_file(s, text + 1, e);
}

static int check_prefix(const char *prefix, struct err *e)
{
	size_t good = strspn(prefix, PREFIX_BYTES);

	if (!prefix[0])
		return err__set(e, -EINVAL, "-S: the prefix is empty; give what comes before malloc, as in my_");
	if (prefix[good])
		return err__set(e, -EINVAL,
				"-S '%.80s': character %zu cannot be in a prefix; letters, digits and _ $ . can",
				prefix, good + 1);
	if (good > PREFIX_SIZE)
		return err__set(e, -EINVAL, "-S '%.80s': %zu characters; a prefix has at most %d", prefix, good,
				PREFIX_SIZE);
	return 0;
}

int allocator_specs__add_prefix(struct allocator_specs *s, const char *prefix, struct err *e)
{
	const struct family *libc = &family_libc;
	char name[PREFIX_SIZE + 32];
	struct given *g;
	bool ok;
	int err = check_prefix(prefix, e);

	if (err)
		return err;
	snprintf(name, sizeof(name), "%s*", prefix);
	err = check_new(s, "-S", name, strlen(name), e);
	if (err)
		return err;
	g = add_given(s, keep(s, name, strlen(name)), libc->n);
	ok = g;
	if (g)
		g->family.some_suffice = true;
	while (ok && g->family.n < libc->n) {
		struct family_fn *fn = &g->fns[g->family.n];

		*fn = libc->fns[g->family.n++];
		snprintf(name, sizeof(name), "%s%s", prefix, fn->name);
		fn->name = keep(s, name, strlen(name));
		/* Of malloc(3) it is known that no exception leaves them, of what is named like them it is not. */
		fn->throws = family__order(fn->op) > 0;
		ok = fn->name;
	}
	return finish_given(s, g, ok, e);
}
