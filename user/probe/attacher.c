/* SPDX-License-Identifier: GPL-2.0-only */
#include "abi.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/vec.h"
#include "leaktrace.skel.h"
#include "probe/attacher.h"
#include "probe/debugger.h"
#include "probe/plan_table.h"
#include "probe/return_trial.h"
#include "select/process_info.h"
#include "select/target.h"

/* A module in a process: its links. */
struct attachment {
	pid_t pid;
	const struct planned *planned;
	struct uprobe_links links;
};

struct attacher {
	struct leaktrace_bpf *bpf;
	struct attacher_options options;
	struct plan_table *plans;
	VEC(struct attachment) attachments;
	struct attached attached;
	bool no_resets;
	int shadow_stacks; /* of return_trial__run(); 1: not tried yet */
};

struct attacher *attacher__new(struct leaktrace_bpf *bpf, const struct attacher_options *o)
{
	struct attacher *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->bpf = bpf;
	a->options = *o;
	a->shadow_stacks = 1;
	a->no_resets = !loader__can_reset();
	a->plans = plan_table__new(bpf);
	if (!a->plans) {
		free(a);
		return NULL;
	}
	return a;
}

void attacher__give_links(struct attacher *a, struct uprobe_links *to)
{
	struct attachment *at;

	if (!a)
		return;
	/* What finds no room stays here, and is closed later. */
	vec__each (&a->attachments, at)
		uprobe_links__move(to, &at->links);
}

void attacher__free(struct attacher *a)
{
	struct attachment *at;

	if (!a)
		return;
	vec__each (&a->attachments, at)
		uprobe_links__close(&at->links);
	vec__free(&a->attachments);
	attached__free(&a->attached);
	plan_table__free(a->plans);
	free(a);
}

static bool has_place(const struct uprobe_places *p, uint64_t offset)
{
	const uint64_t *known;

	vec__each (&p->offsets, known) {
		if (*known == offset)
			return true;
	}
	return false;
}

/* Where functions end in the same code, one probe serves all: a return is matched by its stack pointer. */
static int add_rets(struct uprobe_places *p, const struct planned_fn *f, uint64_t cookie)
{
	const uint64_t *offset;
	int err = 0;

	vec__each (&f->rets.list, offset) {
		if (!err && !has_place(p, *offset))
			err = uprobe_places__add(p, *offset, cookie | LT_COOKIE_RET);
	}
	return err;
}

/* Of a module: entries and ret instructions, the functions with return probes, those that reset a pool. */
enum what { ENTRIES, RETURNS, RESETS };

static int collect_places(struct uprobe_places *p, const struct planned *planned, enum what what)
{
	const struct planned_fn *f;
	int err = 0;

	vec__each (&planned->plan.fns, f) {
		uint64_t cookie = planned->first_fn + (uint64_t)(f - planned->plan.fns.at);

		if (family_fn__ends_pool(f->fn) != (what == RESETS))
			continue;
		if (!err && (what != RETURNS || f->returns == PLAN_RETURN_PROBE))
			err = uprobe_places__add(p, f->offset, cookie);
		if (!err && what == ENTRIES)
			err = add_rets(p, f, cookie);
	}
	return err;
}

static int link_program(struct attacher *a, struct attachment *at, const struct bpf_program *prog, enum what what)
{
	struct uprobe_places p = {};
	int err = collect_places(&p, at->planned, what);
	struct uprobe u = {
		.prog_fd = bpf_program__fd(prog),
		.path = a->options.path,
		.at_return = what == RETURNS,
		.file_fd = at->planned->module->fd,
		.offsets = p.offsets.at,
		.cookies = p.cookies.at,
		.n = (uint32_t)p.offsets.n,
		.pid = at->pid,
	};

	if (!err && u.n)
		err = uprobe__attach(&u, &at->links);
	uprobe_places__free(&p);
	return err;
}

/*
 * What releases all of a pool comes first: a block whose release was missed would look like a leak. Then the return
 * probe: a return without its entry is ignored, an entry without its return is a lost block.
 */
static int link_all(struct attacher *a, struct attachment *at)
{
	int err = link_program(a, at, a->bpf->progs.on_reset, RESETS);

	if (!err && a->options.path == ATTACH_SESSION)
		return link_program(a, at, loader__session_program(a->bpf, a->options.stacks), ENTRIES);
	if (!err)
		err = link_program(a, at, a->bpf->progs.on_leave, RETURNS);
	return err ? err : link_program(a, at, loader__enter_program(a->bpf, a->options.stacks), ENTRIES);
}

static bool is_attached(const struct attacher *a, pid_t pid, const struct planned *p)
{
	const struct attachment *at;

	vec__each (&a->attachments, at) {
		if (at->pid == pid && at->planned->module == p->module)
			return true;
	}
	return false;
}

static int attach_module(struct attacher *a, pid_t pid, const struct mappings *m, const struct planned *p,
			 struct err *e)
{
	struct attachment *at;
	int err;

	if (is_attached(a, pid, p))
		return 0;
	err = a->options.debuggers_are_harmless ? 0 : debugger__check(pid, m, &p->plan, e);
	if (err)
		return err;
	at = vec__add(&a->attachments);
	if (!at)
		return err__set(e, -ENOMEM, "out of memory");
	at->pid = pid;
	at->planned = p;
	err = link_all(a, at);
	if (!err)
		return 0;
	uprobe_links__close(&at->links);
	a->attachments.n--;
	if (err == -ESRCH)
		return target__ended(pid, e);
	return err__set(e, err, "cannot attach to %s in process %d: %s; -v tells more", p->module->path, pid,
			strerror(-err));
}

/* A process with a shadow stack, on a kernel that does not write it. */
static bool returns_kill(struct attacher *a, pid_t pid)
{
	struct err why;

	if (a->options.no_return_probes)
		return true;
	if (!process_info__has_shadow_stack(pid))
		return false;
	if (a->shadow_stacks == 1) {
		a->shadow_stacks = return_trial__run(RETURN_TRIAL_SHADOW_STACK, a->options.path, &why);
		if (a->shadow_stacks)
			log__warn("process %d has a shadow stack, and %s: returns are seen at ret instructions, which "
				  "is slower",
				  pid, why.text);
	}
	return a->shadow_stacks;
}

/* 1: the module is hooked, 0: there is nothing to hook, or it cannot be. */
static int attach_planned(struct attacher *a, pid_t pid, const struct mappings *m, const struct planned *p,
			  struct err *e)
{
	int err;

	if (p->err == -ENOENT)
		return 0;
	err = p->err || !p->plan.fns.n ? 0 : attach_module(a, pid, m, p, e);
	if (err)
		return err;
	if (attached__add(&a->attached, pid, p))
		return err__set(e, -ENOMEM, "out of memory");
	return !p->err && p->plan.fns.n;
}

struct plans {
	VEC(const struct planned *) list;
};

static bool has_plan(const struct plans *plans, const struct planned *p)
{
	const struct planned **known;

	vec__each (&plans->list, known) {
		if (*known == p)
			return true;
	}
	return false;
}

/* The plans of all modules, each once: a file may be mapped in several pieces. */
static int collect_plans(struct attacher *a, pid_t pid, const struct mappings *m, struct plans *plans)
{
	const struct plan_request r = {
		.families = a->options.families,
		.with_callers = a->options.with_callers,
		.no_resets = a->no_resets,
		.no_return_probes = returns_kill(a, pid),
	};
	const struct planned *p, **slot;
	const struct mapping *at;

	vec__each (&m->list, at) {
		if (!at->module || (a->options.object && !module__is_called(at->module, a->options.object)))
			continue;
		p = plan_table__get(a->plans, at->module, &r);
		if (!p)
			return -ENOMEM;
		if (has_plan(plans, p))
			continue;
		slot = vec__add(&plans->list);
		if (!slot)
			return -ENOMEM;
		*slot = p;
	}
	return 0;
}

static int find_missing(struct attacher *a, pid_t pid, const struct plans *plans)
{
	__cleanup_free const struct plan **list = calloc(plans->list.n + 1, sizeof(*list));
	size_t i;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < plans->list.n; i++)
		list[i] = &plans->list.at[i]->plan;
	return attached__find_missing(&a->attached, pid, a->options.families, list, plans->list.n);
}

int attacher__attach(struct attacher *a, pid_t pid, const struct mappings *m, struct err *e)
{
	struct plans plans = {};
	const struct planned **p;
	int hooked = 0, ret = collect_plans(a, pid, m, &plans);

	if (!ret)
		ret = find_missing(a, pid, &plans);
	if (ret)
		ret = err__set(e, ret, "out of memory");
	vec__each (&plans.list, p) {
		if (ret < 0)
			break;
		ret = attach_planned(a, pid, m, *p, e);
		hooked += ret > 0;
	}
	vec__free(&plans.list);
	return ret < 0 ? ret : hooked;
}

void attacher__detach(struct attacher *a, pid_t pid)
{
	struct attachment *at;

	vec__each (&a->attachments, at) {
		if (at->pid == pid) {
			uprobe_links__close(&at->links);
			at->pid = 0;
		}
	}
}

const struct attached_module *attacher__modules(const struct attacher *a, unsigned int *n)
{
	*n = (unsigned int)a->attached.modules.n;
	return a->attached.modules.at;
}

const char *attacher__function(const struct attacher *a, unsigned int fn)
{
	return plan_table__function(a->plans, fn);
}
