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
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tracee.h"
#include "walker.h"

#define MAX_INNER 16

struct options {
	const char *input, *output, *module;
	char *functions[MAX_BREAKPOINTS]; /* that are walked at */
	unsigned int n_functions;
	char *returns[MAX_BREAKPOINTS]; /* MODULE:NAME, whose return addresses are remembered */
	unsigned int n_returns;
	uint64_t stops, every;
	bool only_start;
	char **command;
};

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

static const struct argp_option table[] = {
	{"functions", 'f', "NAME[,NAME...]", 0, "Allocator functions, default malloc", 0},
	{"module", 'm', "TEXT", 0, "They are in the file whose path holds TEXT, default libc.so", 0},
	{"returns", 'r', "TEXT:NAME", 0, "Some return probe sits on function NAME of the file with TEXT in its path",
	 0},
	{"stops", 'n', "N", 0, "Let the program run freely after N calls", 0},
	{"every", 'e', "N", 0, "Walk at every Nth call only", 0},
	{"input", 'i', "FILE", 0, "stdin of the program, default /dev/null", 0},
	{"output", 'o', "FILE", 0, "Write the chains to FILE", 0},
	{"only-start", 's', NULL, 0, "No breakpoints: start it like that, and let go of it", 0},
	{0},
};

static void split(struct argp_state *state, struct options *o, char *list)
{
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		if (o->n_functions == MAX_BREAKPOINTS)
			argp_error(state, "the processor has %d breakpoints", MAX_BREAKPOINTS);
		o->functions[o->n_functions++] = name;
	}
}

static int parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'f':
		split(state, o, arg);
		return 0;
	case 'm':
		o->module = arg;
		return 0;
	case 'r':
		if (o->n_returns == MAX_BREAKPOINTS || !strchr(arg, ':'))
			argp_error(state, "-r wants TEXT:NAME, up to %d times", MAX_BREAKPOINTS);
		o->returns[o->n_returns++] = arg;
		return 0;
	case 'n':
		o->stops = strtoull(arg, NULL, 10);
		return 0;
	case 'e':
		o->every = strtoull(arg, NULL, 10);
		return 0;
	case 'i':
		o->input = arg;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case 's':
		o->only_start = true;
		return 0;
	case ARGP_KEY_ARGS:
		o->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

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
	thread->jumps = may_jump(g->opt.functions[function], regs);
	c->stops++;
	if (last.jumps && last.sp == regs->rsp && last.ret == ret)
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
	static const struct argp argp = {
		table, parse, "COMMAND [ARGS...]", "The call stacks of allocations, by libdwfl.", NULL, NULL, NULL};
	static struct golden g = {.opt = {.input = "/dev/null", .module = "libc.so", .every = 1},
				  .walker = {.memory = -1, .program = -1}};
	static char only_malloc[] = "malloc";
	int status;

	unsetenv("DEBUGINFOD_URLS");
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &g.opt);
	if (!g.opt.n_functions)
		g.opt.functions[g.opt.n_functions++] = only_malloc;
	status = run(&g);
	walker__close(&g.walker);
	chains__free(&g.chains);
	vec__free(&g.tracee.threads);
	return status;
}
