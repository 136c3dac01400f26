/* SPDX-License-Identifier: GPL-2.0-only */
#include "abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "leaktrace.skel.h"
#include "probe/attacher.h"
#include "probe/plan.h"
#include "probe/uprobe_multi.h"
#include "select/target.h"

/* A module that was planned, once for all processes. */
struct planned {
	const struct module *module;
	struct plan plan;
	u32 first_fn; /* cookie of plan.fns[0]; the others follow */
	int err;      /* of planning: -ENOENT has no allocator */
	struct err why;
	const char *names[LT_MAX_FUNCTIONS];
};

/* A module in a process: its links. */
struct attachment {
	pid_t pid;
	const struct planned *planned;
	VEC(int) fds;		      /* of uprobe_multi links */
	VEC(struct bpf_link *) links; /* of perf uprobes */
};

struct attacher {
	struct leaktrace_bpf *bpf;
	enum attach_path path;
	enum stack_method stacks;
	VEC(struct planned *) planned;
	VEC(struct attachment) attachments;
	VEC(struct attached_module) modules;
	const char *fn_names[LT_MAX_FUNCTIONS];
	u32 n_fns, n_modules;
};

struct attacher *attacher__new(struct leaktrace_bpf *bpf, enum attach_path path, enum stack_method stacks)
{
	struct attacher *a = calloc(1, sizeof(*a));

	if (a) {
		a->bpf = bpf;
		a->path = path;
		a->stacks = stacks;
	}
	return a;
}

static void attachment__close(struct attachment *at)
{
	struct bpf_link **link;
	int *fd;

	vec__each (&at->fds, fd)
		close(*fd);
	vec__each (&at->links, link)
		bpf_link__destroy(*link);
	vec__free(&at->fds);
	vec__free(&at->links);
	at->pid = 0;
}

void attacher__free(struct attacher *a)
{
	struct attachment *at;
	struct planned **p;

	if (!a)
		return;
	vec__each (&a->attachments, at)
		attachment__close(at);
	vec__each (&a->planned, p) {
		plan__free(&(*p)->plan);
		free(*p);
	}
	vec__free(&a->attachments);
	vec__free(&a->planned);
	vec__free(&a->modules);
	free(a);
}

/* Tell the BPF side about a planned module. Its functions get consecutive cookies. */
static int publish(struct attacher *a, struct planned *p)
{
	const struct planned_fn *f;
	u32 module = a->n_modules, id;

	if (module >= LT_MAX_MODULES || a->n_fns + p->plan.fns.n > LT_MAX_FUNCTIONS)
		return err__set(&p->why, -E2BIG, "more than %d modules or %d functions to hook", LT_MAX_MODULES,
				LT_MAX_FUNCTIONS);
	if (bpf_map__update_elem(a->bpf->maps.modules, &module, sizeof(module), &p->plan.internal,
				 sizeof(p->plan.internal), BPF_ANY))
		return err__set(&p->why, -errno, "cannot set up its probes: %s", strerror(errno));
	p->first_fn = a->n_fns;
	vec__each (&p->plan.fns, f) {
		struct lt_fn fn = {
			.vaddr = f->vaddr,
			.module = module,
			.op = f->fn->op,
			.size_arg = f->fn->size_arg,
			.count_arg = f->fn->count_arg,
			.ptr_arg = f->fn->ptr_arg,
			.realloc_zero_frees = p->plan.realloc_zero_frees,
		};

		id = a->n_fns++;
		if (bpf_map__update_elem(a->bpf->maps.fns, &id, sizeof(id), &fn, sizeof(fn), BPF_ANY))
			return err__set(&p->why, -errno, "cannot set up its probes: %s", strerror(errno));
		a->fn_names[id] = p->names[f - p->plan.fns.at] = f->fn->name;
	}
	a->n_modules++;
	return 0;
}

static struct planned *plan_module(struct attacher *a, const struct module *m)
{
	struct planned **known, *p;

	vec__each (&a->planned, known) {
		if ((*known)->module == m)
			return *known;
	}
	p = calloc(1, sizeof(*p));
	known = p ? vec__add(&a->planned) : NULL;
	if (!known) {
		free(p);
		return NULL;
	}
	*known = p;
	p->module = m;
	p->err = plan__make(&p->plan, m, &p->why);
	if (!p->err)
		p->err = publish(a, p);
	return p;
}

static int link_multi(struct attacher *a, struct attachment *at, struct bpf_program *prog, bool at_return)
{
	uint64_t offsets[LT_MAX_FUNCTIONS], cookies[LT_MAX_FUNCTIONS];
	const struct plan *plan = &at->planned->plan;
	struct uprobe_multi m = {
		.prog_fd = bpf_program__fd(prog),
		.path = a->path,
		.at_return = at_return,
		.file_fd = plan->module->fd,
		.offsets = offsets,
		.cookies = cookies,
		.pid = at->pid,
	};
	size_t i;
	int *fd;

	for (i = 0; i < plan->fns.n; i++) {
		if (at_return && plan->fns.at[i].fn->op == LT_OP_FREE)
			continue;
		offsets[m.n] = plan->fns.at[i].offset;
		cookies[m.n++] = at->planned->first_fn + i;
	}
	fd = vec__add(&at->fds);
	if (!fd)
		return -ENOMEM;
	*fd = uprobe_multi__link(&m);
	if (*fd >= 0)
		return 0;
	at->fds.n--;
	return *fd;
}

static int link_perf(struct attachment *at, struct bpf_program *prog, size_t i, bool at_return)
{
	const struct plan *plan = &at->planned->plan;
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = at->planned->first_fn + i, .retprobe = at_return);
	struct bpf_link **link = vec__add(&at->links);
	char path[64];

	if (!link)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", plan->module->fd);
	*link = bpf_program__attach_uprobe_opts(prog, at->pid, path, plan->fns.at[i].offset, &opts);
	if (*link)
		return 0;
	at->links.n--;
	return -errno;
}

/* The return probe comes first: a return without its entry is ignored, an entry without its return is a lost block. */
static int link_all(struct attacher *a, struct attachment *at)
{
	struct bpf_program *enter;
	size_t i;
	int err;

	if (a->path == ATTACH_SESSION)
		return link_multi(a, at, loader__session_program(a->bpf, a->stacks), false);
	enter = loader__enter_program(a->bpf, a->stacks);
	if (a->path == ATTACH_MULTI) {
		err = link_multi(a, at, a->bpf->progs.on_leave, true);
		return err ? err : link_multi(a, at, enter, false);
	}
	for (i = 0, err = 0; i < at->planned->plan.fns.n && !err; i++) {
		if (at->planned->plan.fns.at[i].fn->op != LT_OP_FREE)
			err = link_perf(at, a->bpf->progs.on_leave, i, true);
		if (!err)
			err = link_perf(at, enter, i, false);
	}
	return err;
}

static bool is_attached(const struct attacher *a, pid_t pid, const struct planned *p)
{
	const struct attachment *at;

	vec__each (&a->attachments, at) {
		if (at->pid == pid && at->planned == p)
			return true;
	}
	return false;
}

static int attach_module(struct attacher *a, pid_t pid, const struct planned *p, struct err *e)
{
	struct attachment *at;
	int err;

	if (is_attached(a, pid, p))
		return 0;
	at = vec__add(&a->attachments);
	if (!at)
		return err__set(e, -ENOMEM, "out of memory");
	at->pid = pid;
	at->planned = p;
	err = link_all(a, at);
	if (!err)
		return 0;
	attachment__close(at);
	a->attachments.n--;
	if (err == -ESRCH)
		return target__ended(pid, e);
	return err__set(e, err, "cannot attach to %s in process %d: %s; -v tells more", p->module->path, pid,
			strerror(-err));
}

/* Remember for the report what became of a module in a process. */
static int record(struct attacher *a, pid_t pid, const struct planned *p)
{
	struct attached_module *m;

	vec__each (&a->modules, m) {
		if (m->pid == pid && m->module == p->module)
			return 0;
	}
	m = vec__add(&a->modules);
	if (!m)
		return -ENOMEM;
	m->module = p->module;
	m->pid = pid;
	if (p->err) {
		m->reason = p->why.text;
		return 0;
	}
	m->family = p->plan.family->name;
	m->functions = p->names;
	m->n_functions = (unsigned int)p->plan.fns.n;
	return 0;
}

int attacher__attach(struct attacher *a, pid_t pid, const struct mappings *m, struct err *e)
{
	const struct mapping *at;
	int hooked = 0, err;

	vec__each (&m->list, at) {
		const struct planned *p = at->module ? plan_module(a, at->module) : NULL;

		if (!p || p->err == -ENOENT)
			continue;
		if (!p->err) {
			err = attach_module(a, pid, p, e);
			if (err)
				return err;
			hooked++;
		}
		err = record(a, pid, p);
		if (err)
			return err__set(e, err, "out of memory");
	}
	return hooked;
}

void attacher__detach(struct attacher *a, pid_t pid)
{
	struct attachment *at;

	vec__each (&a->attachments, at) {
		if (at->pid == pid)
			attachment__close(at);
	}
}

const struct attached_module *attacher__modules(const struct attacher *a, unsigned int *n)
{
	*n = (unsigned int)a->modules.n;
	return a->modules.at;
}

const char *attacher__function(const struct attacher *a, unsigned int fn)
{
	return fn < LT_MAX_FUNCTIONS ? a->fn_names[fn] : NULL;
}
