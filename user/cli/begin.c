/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/begin.h"
#include "probe/loader.h"
#include "probe/privilege.h"
#include "probe/return_trial.h"
#include "select/process_info.h"
#include "unwind/file_rows.h"

#define RESCAN_NS (2 * NSEC_PER_SEC)

static const char *function_name(void *ctx, unsigned int fn)
{
	const struct session *s = ctx;

	return attacher__function(s->attacher, fn);
}

static void on_event(void *ctx, enum collector_event event, pid_t pid)
{
	struct session *s = ctx;

	if (event == COLLECTOR_EXEC) {
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

/*
 * After the command was forked, because a child would inherit it all: room for the files of many modules, and a place
 * at the end of the OOM killer's list (a tracer that dies when memory runs out is gone when it is needed most).
 */
static void prepare_self(void)
{
	struct rlimit files;
	int fd;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "-900", 4) < 0)
			log__info("cannot change our own oom_score_adj: %s", strerror(errno));
		close(fd);
	}
	signal(SIGPIPE, SIG_IGN);
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
	s->loaders = loader_watches__new(s->bpf, s->path);
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
		.no_return_probes = returns_kill(s),
	};

	memcpy(ao.families, s->options->families, sizeof(ao.families));
	s->attacher = attacher__new(s->bpf, &ao);
	return s->attacher ? 0 : err__set(e, -ENOMEM, "out of memory");
}

static int load(struct session *s, struct err *e)
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

/* Why nothing in a process could be hooked. */
static int no_allocator(const struct session *s, pid_t pid, struct err *e)
{
	unsigned int n, i;
	const struct attached_module *m = attacher__modules(s->attacher, &n);

	for (i = 0; i < n; i++) {
		if (m[i].pid == pid && m[i].reason)
			return err__set(e, -ENOENT, "no allocator to trace in process %d: %s", pid, m[i].reason);
	}
	return err__set(
		e, -ENOENT,
		"no allocator found in process %d: no mapped file has a symbol malloc (static and stripped?); run a "
		"build with symbols (addresses can be given in a later version: --allocator)",
		pid);
}

/* A new image of a process, whose life is reported from now on. NULL with a sentence on failure. */
static struct image *add_image(struct session *s, pid_t pid, int *err, struct err *e)
{
	struct image *img = images__add(&s->images, pid);

	*err = img ? collector__watch(s->collector, pid) : -ENOMEM;
	if (!*err)
		return img;
	if (*err == -E2BIG)
		err__set(e, *err, "more than %d processes cannot be traced at once; give fewer pids", LT_MAX_SLOTS);
	else
		err__set(e, *err, "cannot watch process %d: %s; -v tells more", pid, strerror(-*err));
	return NULL;
}

/* Twice where a loader is found: what it loads or unloads is told from the moment on that it is watched. */
static int read_mappings(struct session *s, struct image *img)
{
	int err = image__read_mappings(img, &s->images);

	if (!err && s->loaders && loader_watches__add(s->loaders, img->pid, &img->mappings))
		err = image__read_mappings(img, &s->images);
	return err;
}

static int attach_target(struct session *s, struct target *t, struct err *e)
{
	struct process_info info;
	struct image *img;
	int n, err;

	img = add_image(s, t->pid, &err, e);
	if (!img)
		return err;
	err = read_mappings(s, img);
	if (err == -EACCES || err == -EPERM)
		return err__set(e, err, "not permitted to read the mappings of process %d; run as root (sudo)", t->pid);
	if (err)
		return target__ended(t->pid, e);
	n = attacher__attach(s->attacher, t->pid, &img->mappings, e);
	if (n < 0)
		return n;
	if (process_info__read(t->pid, &info) || info.state == 'Z' || info.start_ticks != t->start_ticks)
		return target__ended(t->pid, e);
	return n ? 0 : no_allocator(s, t->pid, e);
}

int begin__pids(struct session *s, struct err *e)
{
	struct target *t;
	int err = 0;

	vec__each (&s->targets.list, t) {
		if (!err)
			err = targets__check(t, e);
	}
	prepare_self();
	if (!err)
		err = load(s, e);
	vec__each (&s->targets.list, t) {
		if (!err)
			err = attach_target(s, t, e);
	}
	return err;
}

static int hook_command(struct session *s, struct image *img, struct err *e)
{
	int err = read_mappings(s, img);

	if (err)
		return err__set(e, err, "cannot read the mappings of process %d: %s", img->pid, strerror(-err));
	return attacher__attach(s->attacher, img->pid, &img->mappings, e);
}

/*
 * Hook the command at its exec (a static program, or musl, whose loader is its libc), else step it through its loader
 * until the loader is done: then every library is known, and none of their constructors has run.
 */
static int attach_command(struct session *s, struct target *t, struct err *e)
{
	int n, more, err;
	struct image *img = add_image(s, t->pid, &err, e);

	if (!img)
		return err;
	n = hook_command(s, img, e);
	if (n)
		return n < 0 ? n : 0;
	while ((more = launch__step(&s->launch)) > 0) {
		n = hook_command(s, img, e);
		if (n < 0)
			return n;
	}
	if (more == -ESRCH)
		return err__set(e, more, "'%s' ended in its loader; try it without leaktrace", s->options->command[0]);
	n = hook_command(s, img, e);
	if (n < 0)
		return n;
	return n ? 0 : no_allocator(s, t->pid, e);
}

int begin__command(struct session *s, struct err *e)
{
	struct target *t;
	int err = launch__start(&s->launch, s->options->command, e);

	if (err)
		return err;
	prepare_self();
	t = vec__add(&s->targets.list);
	if (!t)
		return err__set(e, -ENOMEM, "out of memory");
	t->pid = s->launch.pid;
	t->pidfd = -1;
	err = targets__check(t, e);
	if (!err)
		err = load(s, e);
	if (!err)
		err = attach_command(s, t, e);
	/* It has run nothing but its loader. */
	if (!err)
		collector__begin(s->collector);
	return err;
}
