/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * golden: the call stacks of every call of an allocator function, as libdwfl sees them, to compare leaktrace with.
 *
 *	golden [OPTIONS] -- COMMAND [ARGS...]
 *
 * COMMAND is started without address randomisation and held at its entry point: READY pid=N. With a line on stdin it
 * goes on. Each call of one of the functions stops it, in whichever thread, and its chain of return addresses is
 * written down. leaktrace can trace the same process at the same time (see tracee.h), so that both see the same calls.
 *
 * Calls that leaktrace ignores are left out by the same rules: those made by the allocator itself, and the tail jump of
 * one function to another. In the end: DONE {...} with counts, and the chains in the file of --output.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "tracee.h"
#include "walker.h"

#define MAX_INNER 16

struct counts {
	uint64_t stops, walked, nested, tail_jumps, ends[3];
};

struct golden {
	struct options opt;
	struct tracee tracee;
	struct walker walker;
	struct chains chains;
	struct counts counts;
	struct {
		uint64_t start, size;
	} inner[MAX_INNER]; /* functions of the allocator */
	unsigned int n_inner;
};

static int add_breakpoint(struct golden *g, const char *module, const char *name)
{
	uint64_t size;

	if (g->tracee.n == MAX_BREAKPOINTS ||
	    walker__function(&g->walker, module, name, &g->tracee.breakpoints[g->tracee.n], &size)) {
		fprintf(stderr, "golden: no function %s in %s, or one breakpoint too many\n", name, module);
		return -1;
	}
	g->tracee.n++;
	return 0;
}

static int find_functions(struct golden *g)
{
	static const char *const inner[] = {"malloc",	      "calloc",	      "realloc", "memalign", "aligned_alloc",
					    "posix_memalign", "reallocarray", "valloc",	 "pvalloc",  "free"};
	struct options *o = &g->opt;

	for (unsigned int i = 0; i < o->n_functions; i++) {
		if (add_breakpoint(g, o->module, o->functions[i]))
			return -1;
	}
	for (unsigned int i = 0; i < o->n_returns; i++) {
		char *colon = strchr(o->returns[i], ':');

		*colon = 0;
		if (add_breakpoint(g, o->returns[i], colon + 1))
			return -1;
	}
	for (unsigned int i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		g->n_inner += !walker__function(&g->walker, o->module, inner[i], &g->inner[g->n_inner].start,
						&g->inner[g->n_inner].size);
	}
	return 0;
}

static bool is_inner(const struct golden *g, uint64_t ret)
{
	for (unsigned int i = 0; i < g->n_inner; i++) {
		if (ret - g->inner[i].start < g->inner[i].size)
			return true;
	}
	return false;
}

static unsigned int breakpoint_at(const struct tracee *t, uint64_t pc)
{
	unsigned int i = 0;

	while (t->breakpoints[i] != pc)
		i++;
	return i;
}

static void walk(struct golden *g, pid_t tid, unsigned int function)
{
	struct word words[MAX_FRAMES + 1];
	struct chain chain = {.function = function, .words = words};

	g->counts.walked++;
	walker__walk(&g->walker, tid, &chain);
	g->counts.ends[chain.end]++;
	chains__add(&g->chains, &chain);
}

/* glibc: realloc(NULL, n) is a jump to malloc(n), an alignment that malloc gives anyway too. */
static bool may_jump(const char *function, const struct user_regs_struct *regs)
{
	if (!strcmp(function, "realloc"))
		return !regs->rdi;
	return strcmp(function, "malloc") && strcmp(function, "calloc");
}

static void on_stop(struct golden *g, struct thread *thread, const struct user_regs_struct *regs)
{
	unsigned int function = breakpoint_at(&g->tracee, regs->rip);
	struct counts *c = &g->counts;
	struct thread last = *thread;
	uint64_t ret = 0;

	walker__refresh(&g->walker);
	walker__see(&g->walker, regs);
	walker__read(&g->walker, regs->rsp, &ret);
	if (ret != g->walker.maps.uprobes)
		slots__set(&g->walker.slots, regs->rsp, ret);
	if (function >= g->opt.n_functions)
		return;
	thread->sp = regs->rsp;
	thread->ret = ret;
	thread->function = function;
	thread->jumps = may_jump(g->opt.functions[function], regs);
	c->stops++;
	if (last.jumps && last.function != function && last.sp == regs->rsp && last.ret == ret)
		c->tail_jumps++;
	else if (is_inner(g, ret))
		c->nested++;
	else if (c->stops % g->opt.every == 0)
		walk(g, thread->tid, function);
}

static void watch(struct golden *g)
{
	struct tracee *t = &g->tracee;
	struct user_regs_struct regs;
	int i;

	t->armed = true;
	tracee__arm(t, t->pid, true);
	tracee__go_on(t->pid);
	while ((i = tracee__next(t, &regs)) >= 0) {
		if (t->armed)
			on_stop(g, &t->threads.at[i], &regs);
		if (g->opt.stops && g->counts.stops >= g->opt.stops)
			t->armed = false;
		if (!t->armed)
			tracee__arm(t, t->threads.at[i].tid, false);
		tracee__go_on(t->threads.at[i].tid);
	}
}

static int write_chains(const struct golden *g)
{
	FILE *file = g->opt.output ? fopen(g->opt.output, "we") : NULL;

	if (!g->opt.output)
		return 0;
	if (!file) {
		perror(g->opt.output);
		return -1;
	}
	chains__write(&g->chains, &g->walker.maps, g->opt.functions, file);
	return fclose(file);
}

static void say_done(const struct golden *g)
{
	const struct counts *c = &g->counts;

	printf("DONE {\"stops\":%" PRIu64 ",\"walked\":%" PRIu64 ",\"nested\":%" PRIu64 ",\"tail_jumps\":%" PRIu64
	       ",\"whole\":%" PRIu64 ",\"cut\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"error\":\"%s\",\"chains\":%" PRIu64
	       ",\"trampolines\":%" PRIu64 ",\"strange\":%" PRIu64 ",\"execed\":%d,\"status\":%d}\n",
	       c->stops, c->walked, c->nested, c->tail_jumps, c->ends[CHAIN_WHOLE], c->ends[CHAIN_CUT],
	       c->ends[CHAIN_FAILED], g->walker.error, g->chains.n, g->walker.trampolines, g->walker.strange,
	       g->tracee.execed, g->tracee.status);
}

static int run(struct golden *g)
{
	char line[16];

	if (!tracee__breakpoints_work()) {
		fprintf(stderr, "golden: the breakpoints of this machine's processor do not fire\n");
		return 1;
	}
	if (tracee__start(&g->tracee, g->opt.command, g->opt.input) || walker__open(&g->walker, g->tracee.pid) ||
	    find_functions(g))
		return 1;
	printf("READY pid=%d\n", g->tracee.pid);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	if (g->opt.only_start)
		tracee__release(&g->tracee);
	else
		watch(g);
	say_done(g);
	return write_chains(g) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct golden g = {.walker = {.memory = -1, .program = -1}};
	int status;

	unsetenv("DEBUGINFOD_URLS");
	options__parse(&g.opt, argc, argv);
	g.walker.no_guesses = g.opt.no_guesses;
	status = run(&g);
	walker__close(&g.walker);
	chains__free(&g.chains);
	vec__free(&g.tracee.threads);
	return status;
}
