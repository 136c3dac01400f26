/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/stages.h"
#include "probe/loader.h"
#include "probe/return_trial.h"
#include "unwind/file_rows.h"

#define RESCAN_NS (2 * NSEC_PER_SEC)

static const char *function_name(void *ctx, unsigned int fn)
{
	const struct session *s = ctx;

	return attacher__function(s->attacher, fn);
}

/* A library that was just loaded may bring an allocator. */
static void attach_loaded(struct session *s, pid_t pid)
{
	const struct image *img = images__running(&s->images, pid);
	struct err e;

	if (img && s->attacher && attacher__attach(s->attacher, pid, &img->mappings, &e) < 0)
		log__info("%s", e.text);
}

static void on_event(void *ctx, enum collector_event event, pid_t pid)
{
	struct session *s = ctx;

	if (event == COLLECTOR_LOADED) {
		attach_loaded(s, pid);
	} else if (event == COLLECTOR_EXEC) {
		log__info("process %d runs another program now", pid);
		s->rescan_until_ns = clock__mono_ns() + RESCAN_NS;
	} else if (event == COLLECTOR_LEADER_EXIT) {
		log__warn("the first thread of process %d has ended, others run on: the kernel knows whom to probe by "
			  "that "
			  "thread, so probes may stop firing (with perf at once, else when another tracer leaves)",
			  pid);
	}
}

static void on_block(void *ctx, const struct collected_event *e)
{
	const struct session *s = ctx;

	sink__event(s->out, e);
}

/* Build the tables of what the targets have mapped, so that their map gets the size that is needed. */
static uint64_t rows_wanted(struct session *s)
{
	uint64_t begin = clock__mono_ns();
	struct mappings m = {};
	struct mapping *at;
	struct target *t;

	vec__each (&s->targets.list, t) {
		if (mappings__refresh(&m, s->images.modules, t->pid))
			continue;
		vec__each (&m.list, at) {
			if (at->module)
				tables__get(s->tables, at->module);
		}
	}
	mappings__free(&m);
	log__info("unwind tables: %" PRIu64 " rows in %.1f ms", tables__rows(s->tables),
		  (double)(clock__mono_ns() - begin) / 1e6);
	return file_rows__wanted(s->tables);
}

static int load_bpf(struct session *s, struct err *e)
{
	const struct options *o = s->options;
	struct loader_options lo = {
		.max_blocks = o->max_blocks,
		.max_sites = o->max_sites,
		.min_size = o->min_size,
		.max_size = o->max_size,
		.events = o->events,
		.stacks = o->stacks,
	};
	struct family *const *f;

	vec__each (&o->allocators.list, f)
		lo.pools |= family__has_layer(*f);
	lo.path = s->path = attach_path__choose(o->path, e);
	if (s->path == ATTACH_NONE)
		return -ENOTSUP;
	if (o->stacks != STACKS_BY_FRAME_POINTERS)
		lo.rows = rows_wanted(s);
	s->bpf = loader__load(&lo, &s->stacks, e);
	return s->bpf ? 0 : -ENOTSUP;
}

/* What walks by unwind tables need; without, stacks follow frame pointers. */
static int open_spaces(struct session *s, struct err *e)
{
	if (s->stacks != STACKS_BY_TABLES)
		return 0;
	s->images.spaces = s->spaces = spaces__new(s->bpf, s->tables, e);
	if (!s->spaces)
		return -ENOMEM;
	s->loaders = loader_watches__new(s->bpf, s->path, s->options->debuggers_are_harmless);
	return s->loaders ? 0 : err__set(e, -ENOMEM, "out of memory");
}

/* Is there a target, or may one come to be, that a return probe would kill? */
static bool returns_kill(const struct session *s)
{
	struct err why;
	int err;

	if (s->options->no_return_probes)
		return true;
	err = return_trial__run(RETURN_TRIAL_SECCOMP, s->path, &why);
	if (!err || err == -ENOTSUP)
		return false;
	log__warn(
		"processes with a seccomp filter, as in containers: %s. Returns are seen at ret instructions, which is "
		"slower; kernels from 6.14 on do not have this fault",
		why.text);
	return true;
}

static int new_attacher(struct session *s, struct err *e)
{
	struct attacher_options ao = {
		.path = s->path,
		.stacks = s->stacks,
		.families = s->options->families,
		.object = s->options->object,
		.with_callers = s->options->with_callers,
		.no_return_probes = returns_kill(s),
		.debuggers_are_harmless = s->options->debuggers_are_harmless,
	};

	s->attacher = attacher__new(s->bpf, &ao);
	return s->attacher ? 0 : err__set(e, -ENOMEM, "out of memory");
}

int stages__load(struct session *s, struct err *e)
{
	struct collector_options co = {
		.max_sites = s->options->max_sites,
		.function_name = function_name,
		.on_event = on_event,
		.on_block = s->options->events ? on_block : NULL,
		.ctx = s,
	};
	int err;

	s->images.modules = module_table__new();
	s->tables = tables__new();
	s->symbolizer = symbolizer__new();
	if (!s->images.modules || !s->tables || !s->symbolizer)
		return err__set(e, -ENOMEM, "out of memory");
	err = load_bpf(s, e);
	if (!err)
		err = open_spaces(s, e);
	if (err)
		return err;
	err = new_attacher(s, e);
	if (err)
		return err;
	co.tables = s->spaces ? s->tables : NULL;
	co.leader_exit_loses = s->path == ATTACH_PERF;
	s->collector = collector__new(s->bpf, &s->images, &co, e);
	return s->collector ? 0 : -ENOMEM;
}
