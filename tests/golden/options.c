/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

static const struct argp_option table[] = {
	{"functions", 'f', "NAME[,NAME...]", 0, "Allocator functions, default malloc", 0},
	{"module", 'm', "TEXT", 0, "They are in the file whose path holds TEXT, default libc.so", 0},
	{"returns", 'r', "TEXT:NAME", 0, "Some return probe sits on function NAME of the file with TEXT in its path",
	 0},
	{"stops", 'n', "N", 0, "Let the program run freely after N calls", 0},
	{"every", 'e', "N", 0, "Walk at every Nth call only", 0},
	{"no-guesses", 'g', NULL, 0,
	 "End a chain where there is no unwind information, instead of assuming a frame pointer", 0},
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
	case 'g':
		o->no_guesses = true;
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

void options__parse(struct options *o, int argc, char **argv)
{
	static const struct argp argp = {
		table, parse, "COMMAND [ARGS...]", "The call stacks of allocations, by libdwfl.", NULL, NULL, NULL};
	static char only_malloc[] = "malloc";

	*o = (struct options){.input = "/dev/null", .module = "libc.so", .every = 1};
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, o);
	if (!o->n_functions)
		o->functions[o->n_functions++] = only_malloc;
}
