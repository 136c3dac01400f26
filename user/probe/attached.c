/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/attached.h"

static void free_missing(struct attached_missing *m)
{
	free(m->path);
	free(m->text);
}

void attached__free(struct attached *a)
{
	struct attached_missing *m;

	vec__each (&a->missing, m)
		free_missing(m);
	vec__free(&a->missing);
	vec__free(&a->modules);
}

static bool is_same(const struct attached_module *a, const struct attached_module *b)
{
	return a->pid == b->pid && a->module == b->module && a->reason == b->reason && a->functions == b->functions;
}

static int add(struct attached *a, const struct attached_module *m)
{
	struct attached_module *known;

	vec__each (&a->modules, known) {
		if (is_same(known, m))
			return 0;
	}
	known = vec__add(&a->modules);
	if (!known)
		return -ENOMEM;
	*known = *m;
	return 0;
}

int attached__add(struct attached *a, pid_t pid, const struct planned *p)
{
	struct attached_module m = {.module = p->module, .path = p->module->path, .pid = pid};
	const struct planned_family *f;
	char *const *note;
	int err = 0;

	if (p->err) {
		m.reason = p->why.text;
		return add(a, &m);
	}
	vec__each (&p->families, f) {
		m.family = f->family->name;
		m.functions = f->names;
		m.n_functions = f->n;
		err = err ? err : add(a, &m);
	}
	m = (struct attached_module){.module = p->module, .path = p->module->path, .pid = pid};
	vec__each (&p->missed.list, note) {
		m.reason = *note;
		err = err ? err : add(a, &m);
	}
	m.not_missed = true;
	vec__each (&p->not_missed.list, note) {
		m.reason = *note;
		err = err ? err : add(a, &m);
	}
	return err;
}

/* What was said of the process before; it may have loaded the library since. */
static void forget_missing(struct attached *a, pid_t pid)
{
	size_t i, n = 0;

	for (i = 0; i < a->modules.n; i++) {
		if (a->modules.at[i].pid != pid || a->modules.at[i].module)
			a->modules.at[n++] = a->modules.at[i];
	}
	a->modules.n = n;
	for (i = n = 0; i < a->missing.n; i++) {
		if (a->missing.at[i].pid == pid)
			free_missing(&a->missing.at[i]);
		else
			a->missing.at[n++] = a->missing.at[i];
	}
	a->missing.n = n;
}

static bool has(const struct plan *p, const struct family_fn *fn)
{
	const struct unplanned_fn *u;
	const struct planned_fn *f;

	vec__each (&p->fns, f) {
		if (f->fn == fn)
			return true;
	}
	vec__each (&p->left_out, u) {
		if (u->fn == fn)
			return true;
	}
	return false;
}

static bool any_has(const struct plan *const *plans, size_t n, const struct family_fn *fn)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (has(plans[i], fn))
			return true;
	}
	return false;
}

static int add_missing(struct attached *a, pid_t pid, const struct family *f, const char *functions)
{
	struct attached_missing *m = vec__add(&a->missing);
	struct attached_module *out;

	if (!m)
		return -ENOMEM;
	*m = (struct attached_missing){.pid = pid};
	if (asprintf(&m->path, "allocator %s", f->name) < 0)
		m->path = NULL;
	if (asprintf(&m->text, "no file that is mapped has %s", functions) < 0)
		m->text = NULL;
	out = m->path && m->text ? vec__add(&a->modules) : NULL;
	if (!out)
		return -ENOMEM;
	*out = (struct attached_module){.path = m->path, .pid = pid, .reason = m->text};
	return 0;
}

/*
 * Of a prefix there are always some: not every allocator has pvalloc. So those of the user's own words must all be
 * there, and of others one.
 */
static int find_missing(struct attached *a, pid_t pid, const struct family *f, const struct plan *const *plans,
			size_t n)
{
	char names[512] = "";
	size_t used = 0;
	unsigned int i, found = 0;

	for (i = 0; i < f->n; i++) {
		if (any_has(plans, n, &f->fns[i]))
			found++;
		else if (used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
						 f->fns[i].name);
	}
	return !used || (f->some_suffice && found) ? 0 : add_missing(a, pid, f, names);
}

int attached__find_missing(struct attached *a, pid_t pid, const struct family *const *families,
			   const struct plan *const *plans, size_t n)
{
	const struct family *const *f;
	int err = 0;

	forget_missing(a, pid);
	for (f = families; *f && !err; f++) {
		if ((*f)->given)
			err = find_missing(a, pid, *f, plans, n);
	}
	return err;
}
