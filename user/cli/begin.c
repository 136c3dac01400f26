/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/begin.h"
#include "cli/stages.h"
#include "probe/debugger.h"
#include "probe/task_states.h"
#include "select/process_info.h"

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

/* Why nothing in a process could be hooked. */
static int no_allocator(const struct session *s, pid_t pid, struct err *e)
{
	unsigned int n, i;
	const struct attached_module *m = attacher__modules(s->attacher, &n);

	for (i = 0; i < n; i++) {
		if (m[i].pid == pid && m[i].reason && !m[i].not_missed)
			return err__set(e, -ENOENT, "no allocator to trace in process %d: %s", pid, m[i].reason);
	}
	if (s->options->object)
		return err__set(e, -ENOENT,
				"no allocator to trace in process %d: it has mapped no file '%s' with one; -O takes a "
				"path as in /proc/%d/maps, or the last component of it",
				pid, s->options->object, pid);
	return err__set(
		e, -ENOENT,
		"no allocator found in process %d: no mapped file has a symbol malloc (static and stripped?); run a "
		"build with symbols or put its debug file where gdb finds it, or give the addresses: --allocator "
		"'libc: alloc=FILE+0xADDRESS realloc=FILE+0xADDRESS free=FILE+0xADDRESS'",
		pid);
}

/* A new image of a process, whose life is reported from now on. NULL with a sentence on failure. */
static struct image *add_image(struct session *s, pid_t pid, int *err, struct err *e)
{
	struct image *img = images__add(&s->images, pid);

	*err = img ? collector__watch(s->collector, pid) : -ENOMEM;
	if (!*err) {
		task_states__make(s->bpf);
		return img;
	}
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
	pid_t by;

	img = add_image(s, t->pid, &err, e);
	if (!img)
		return err;
	by = s->options->debuggers_are_harmless ? 0 : debugger__of(t->pid);
	if (by)
		log__warn(
			"process %d is being debugged by process %d: a breakpoint that is set on an allocator function "
			"from now on must be deleted before leaktrace ends, or it kills the process",
			t->pid, by);
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
		err = stages__load(s, e);
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

/* musl's loader is its libc: what runs in it may be the program, which must not be stepped. */
static bool is_loader_hooked(const struct session *s, const struct image *img)
{
	const struct mapping *at;
	unsigned int n, i;
	const struct attached_module *m = attacher__modules(s->attacher, &n);
	uint64_t base = launch__loader(&s->launch);

	vec__each (&img->mappings.list, at) {
		/* Its first mapping is not executable: the file is known by the next. */
		if (at->end <= base)
			continue;
		for (i = 0; i < n; i++) {
			if (m[i].pid == img->pid && m[i].module == at->module && !m[i].reason)
				return base;
		}
		return false;
	}
	return false;
}

/*
 * Hook the command at its exec (a static program; one that brings its own allocator), then step it through its loader
 * until that is done: then every library is known, and none of their constructors has run.
 */
static int attach_command(struct session *s, struct target *t, struct err *e)
{
	int n, more, err;
	struct image *img = add_image(s, t->pid, &err, e);

	if (!img)
		return err;
	n = hook_command(s, img, e);
	if (n < 0 || (n && is_loader_hooked(s, img)))
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
		err = stages__load(s, e);
	if (!err)
		err = attach_command(s, t, e);
	/* It has run nothing but its loader. */
	if (!err)
		collector__begin(s->collector);
	return err;
}
