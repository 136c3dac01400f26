/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/begin.h"
#include "probe/loader.h"
#include "probe/privilege.h"

static int start_accounts(struct session *s, struct err *e)
{
	struct account_options ao = {
		.started = (double)clock__wall_ns() / NSEC_PER_SEC,
		.started_ns = clock__mono_ns(),
		.interval_s = (double)s->options->interval_ns / NSEC_PER_SEC,
		.stack_method = s->stacks == STACKS_BY_TABLES ? "unwind tables" : "frame pointers",
		.attach_path = attach_path__name(s->path),
	};

	s->accountant = accountant__new(&ao);
	return s->accountant ? 0 : err__set(e, -ENOMEM, "out of memory");
}

static bool is_same_file(const struct attached_module *a, const struct attached_module *b)
{
	return a->pid == b->pid && a->module == b->module;
}

/* A file may have functions of several families. */
static bool is_first_of(const struct attached_module *m, unsigned int at)
{
	unsigned int i;

	for (i = 0; i < at; i++) {
		if (is_same_file(&m[i], &m[at]))
			return false;
	}
	return true;
}

static unsigned int functions_of(const struct attached_module *m, unsigned int n, unsigned int at)
{
	unsigned int sum = 0, i;

	for (i = 0; i < n; i++)
		sum += is_same_file(&m[i], &m[at]) ? m[i].n_functions : 0;
	return sum;
}

/* One line that says what is traced, for people and for scripts that wait for it. */
static void announce(const struct session *s)
{
	unsigned int n, i;
	const struct attached_module *m = attacher__modules(s->attacher, &n);

	for (i = 0; i < n; i++) {
		struct image *img = images__running((struct images *)&s->images, m[i].pid);

		if (m[i].reason && !m[i].module)
			log__warn("process %d: %s: %s", m[i].pid, m[i].path, m[i].reason);
		else if (m[i].reason && !m[i].not_missed)
			log__warn("process %d: %s", m[i].pid, m[i].reason);
		else if (m[i].reason)
			log__info("process %d: %s: %s", m[i].pid, m[i].path, m[i].reason);
		else if (img && is_first_of(m, i))
			log__note("tracing %s (pid %d): %u functions of %s, by %s; Ctrl-C ends with a report",
				  img->comm, img->pid, functions_of(m, n, i), module__name(m[i].module),
				  attach_path__name(s->path));
	}
}

int session__begin(struct session *s, const struct options *o, struct sink *out, struct err *e)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->options = o;
	s->out = out;
	s->targets = o->pids;
	s->command_status = -1;
	err = privilege__check(e);
	if (!err)
		err = o->command ? begin__command(s, e) : begin__pids(s, e);
	if (!err)
		err = start_accounts(s, e);
	if (err)
		return err;
	announce(s);
	launch__release(&s->launch);
	return 0;
}

void session__end(struct session *s)
{
	struct uprobe_links links = {};

	/* Still stopped: it was never let go because something failed. */
	if (s->launch.stopped) {
		kill(s->launch.pid, SIGKILL);
		waitpid(s->launch.pid, NULL, 0);
	}
	attacher__give_links(s->attacher, &links);
	loader_watches__give_links(s->loaders, &links);
	uprobe_links__close(&links);
	attacher__free(s->attacher);
	loader_watches__free(s->loaders);
	accountant__free(s->accountant);
	collector__free(s->collector);
	spaces__free(s->spaces);
	if (s->bpf)
		loader__free(s->bpf);
	symbolizer__free(s->symbolizer);
	images__free(&s->images);
	tables__free(s->tables);
	module_table__free(s->images.modules);
	targets__free(&s->targets);
	vec__free(&s->hooked);
	vec__free(&s->not_hooked);
}

void session__rescan(struct session *s)
{
	struct image **img;
	struct err e;

	vec__each (&s->images.list, img) {
		if ((*img)->end != IMAGE_RUNS || image__read_mappings(*img, &s->images))
			continue;
		if (s->loaders)
			loader_watches__add(s->loaders, (*img)->pid, &(*img)->mappings);
		if (attacher__attach(s->attacher, (*img)->pid, &(*img)->mappings, &e) < 0)
			log__info("%s", e.text);
	}
}

void session__target_ended(struct session *s, struct target *t)
{
	int status = -1;

	if (t->pid == s->launch.pid) {
		if (waitpid(t->pid, &status, WNOHANG) != t->pid)
			return;
		s->command_status = status;
	}
	close(t->pidfd);
	t->pidfd = -1;
	collector__process_ended(s->collector, t->pid, status);
}

bool session__any_runs(struct session *s)
{
	struct image **img;

	vec__each (&s->images.list, img) {
		if ((*img)->end == IMAGE_RUNS)
			return true;
	}
	return false;
}
