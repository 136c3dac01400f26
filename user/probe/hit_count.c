/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/hit_count.h"
#include "probe/trial.h"

#define LOOK_US 500

/* One link for each module, cookies go on. */
static int attach_plan(struct trial *t, const struct plan *plan, pid_t pid, uint64_t *cookie)
{
	struct uprobe u = {.prog_fd = t->prog_fd, .path = t->path, .file_fd = plan->module->fd, .pid = pid};
	struct uprobe_places p = {};
	const struct planned_fn *f;
	int err = 0;

	vec__each (&plan->fns, f)
		err = err ? err : uprobe_places__add(&p, f->offset, (*cookie)++);
	u.offsets = p.offsets.at;
	u.cookies = p.cookies.at;
	u.n = (uint32_t)p.offsets.n;
	if (!err)
		err = uprobe__attach(&u, &t->links);
	uprobe_places__free(&p);
	return err;
}

static uint64_t read_hits(struct hit_count *c, const struct trial *t)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < c->hits.n; i++)
		sum += c->hits.at[i] = trial__hits(t, (uint32_t)i);
	return sum;
}

/* Look every now and then whether it is enough. */
static void wait_for_hits(const struct trial *t, struct hit_count *c)
{
	uint64_t start = clock__mono_ns(), end = start + HIT_COUNT_MS * 1000000ull, now;

	do {
		usleep(LOOK_US);
		c->total = read_hits(c, t);
		now = clock__mono_ns();
	} while (now < end && c->total < HIT_COUNT_MAX);
	c->seconds = (double)(now - start) / NSEC_PER_SEC;
}

/* What was hit while some were attached and others not yet is left out. */
static int count_attached(const struct trial *t, struct hit_count *c)
{
	struct hit_count before = {};
	uint64_t *hits;
	size_t i;

	vec__each (&c->hits, hits) {
		if (!vec__add(&before.hits)) {
			hit_count__free(&before);
			return -ENOMEM;
		}
	}
	before.total = read_hits(&before, t);
	wait_for_hits(t, c);
	for (i = 0; i < c->hits.n; i++)
		c->hits.at[i] -= before.hits.at[i];
	c->total -= before.total;
	hit_count__free(&before);
	return 0;
}

static int count(struct hit_count *c, struct trial *t, pid_t pid, const struct plan *plans, size_t n)
{
	uint64_t cookie = 0;
	size_t i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = attach_plan(t, &plans[i], pid, &cookie);
	while (!err && c->hits.n < cookie) {
		if (!vec__add(&c->hits))
			err = -ENOMEM;
	}
	return err ? err : count_attached(t, c);
}

int hit_count__run(struct hit_count *c, enum attach_path path, pid_t pid, const struct plan *plans, size_t n,
		   struct err *e)
{
	struct trial t;
	int err;

	memset(c, 0, sizeof(*c));
	if (path == ATTACH_PERF)
		return err__set(e, -EOPNOTSUPP, "perf uprobes take seconds to detach, so calls are not counted");
	err = trial__begin(&t, path, TRIAL_COUNTS_ENTRIES, LT_MAX_FUNCTIONS);
	if (!err)
		err = count(c, &t, pid, plans, n);
	trial__end(&t);
	return err ? err__set(e, err, "cannot count its calls: %s", strerror(-err)) : 0;
}

void hit_count__free(struct hit_count *c)
{
	vec__free(&c->hits);
}
