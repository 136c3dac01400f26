// SPDX-License-Identifier: GPL-2.0-only
// What probes on libc's malloc and free cost by where they sit, with programs that do nothing, and how long it takes to
// attach and detach them: places LIBC session|multi|perf MALLOC+OFFSET FREE+OFFSET ROUNDS
//
// The two numbers are file offsets chosen by hand (the floor); beside them are the first instructions of both, as other
// tools choose, and what leaktrace plans.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/attach_path.h"
#include "probe/calibrate.h"
#include "probe/plan.h"
#include "probe/trial.h"

#define PAIRS 16

struct pair {
	const char *name;
	uint64_t malloc_at, free_at;
};

static void allocate(void)
{
	void *volatile block;
	int i;

	for (i = 0; i < PAIRS; i++) {
		block = malloc(64);
		free(block);
	}
}

static int attach(struct trial *t, enum attach_path path, int file, uint64_t offset, bool watch)
{
	const uint64_t cookie = 0;
	struct uprobe u = {
		.path = path, .file_fd = file, .offsets = &offset, .cookies = &cookie, .n = 1, .pid = getpid()};
	int err = trial__begin(t, path, watch ? TRIAL_EMPTY : TRIAL_EMPTY_ENTRIES, 0);

	u.prog_fd = t->prog_fd;
	if (!err)
		err = uprobe__attach(&u, &t->links);
	u.at_return = true;
	if (!err && watch && path != ATTACH_SESSION)
		err = uprobe__attach(&u, &t->links);
	return err;
}

static double ms_since(uint64_t start)
{
	return (double)(clock__mono_ns() - start) / 1e6;
}

static int measure(const struct pair *p, enum attach_path path, int file, double alone)
{
	struct trial on_malloc, on_free;
	uint64_t start = clock__mono_ns();
	double attach_ms, ns;
	int err = attach(&on_malloc, path, file, p->malloc_at, true);

	err = err ? err : attach(&on_free, path, file, p->free_at, false);
	if (err)
		return err;
	attach_ms = ms_since(start);
	ns = calibrate__time(allocate) / PAIRS - alone;
	start = clock__mono_ns();
	uprobe_links__move(&on_malloc.links, &on_free.links);
	trial__end(&on_malloc);
	trial__end(&on_free);
	printf("PAIR %s %.0f %.1f %.1f\n", p->name, ns, attach_ms, ms_since(start));
	return 0;
}

static const struct planned_fn *find(const struct plan *p, const char *name)
{
	const struct planned_fn *f;

	vec__each (&p->fns, f) {
		if (!strcmp(f->fn->name, name))
			return f;
	}
	return NULL;
}

static int run(const struct plan *plan, char **argv)
{
	const struct planned_fn *m = find(plan, "malloc"), *f = find(plan, "free");
	enum attach_path path = attach_path__parse(argv[2]);
	const struct pair pairs[] = {
		{"first", m->offset - m->place.offset, f->offset - f->place.offset},
		{"floor", strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0)},
		{"planned", m->offset, f->offset},
	};
	double alone = calibrate__time(allocate) / PAIRS;
	int rounds = atoi(argv[5]), round, err = 0;
	size_t i;

	printf("ALONE %.1f\n", alone);
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]) && !err; i++)
			err = measure(&pairs[i], path, plan->module->fd, alone);
	}
	return err;
}

int main(int argc, char **argv)
{
	static const struct family *const families[] = {&family_libc, NULL};
	struct plan_request r = {.families = families};
	struct module m = {.root_fd = -1};
	struct plan plan;
	struct err e = {};
	int err;

	if (argc != 6)
		return 2;
	m.path = argv[1];
	m.fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	err = plan__make(&plan, &m, &r, &e);
	if (!err)
		err = run(&plan, argv);
	if (err)
		fprintf(stderr, "%s: %s %s\n", argv[1], strerror(-err), e.text);
	plan__free(&plan);
	return err ? 1 : 0;
}
