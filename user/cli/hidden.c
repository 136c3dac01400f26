/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>
#include <string.h>

#include "cli/hidden.h"
#include "cli/options.h"
#include "cli/usage.h"

enum {
	KEY_ATTACH_PATH = 0x300,
	KEY_STACKS,
	KEY_FAMILIES,
	KEY_RETURNS,
	KEY_AUDIT,
	KEY_DEBUGGERS,
};

static const struct argp_option table[] = {
	{"attach-path", KEY_ATTACH_PATH, "PATH", OPTION_HIDDEN, "session, multi or perf", 0},
	{"stacks", KEY_STACKS, "METHOD", OPTION_HIDDEN, "tables or fp", 0},
	{"families", KEY_FAMILIES, "LIST", OPTION_HIDDEN, "of libc, malloc, c++, jemalloc, tcmalloc, mimalloc", 0},
	{"returns", KEY_RETURNS, "HOW", OPTION_HIDDEN, "probes or insns", 0},
	{"debuggers-are-harmless", KEY_DEBUGGERS, NULL, OPTION_HIDDEN, "they set no breakpoints in code", 0},
	{"audit", KEY_AUDIT, NULL, OPTION_HIDDEN, "sum up the block map for each report", 0},
	{0},
};

static void set_stacks(struct options *o, const char *name)
{
	if (!strcmp(name, "tables"))
		o->stacks = STACKS_BY_TABLES;
	else if (!strcmp(name, "fp"))
		o->stacks = STACKS_BY_FRAME_POINTERS;
	else
		usage__error("--stacks '%s' is not known; tables and fp are", name);
}

static void set_families(struct options *o, char *list)
{
	unsigned int n = 0;
	char *name;

	memset(o->families, 0, sizeof(o->families));
	while ((name = strsep(&list, ","))) {
		if (n == OPTIONS_FAMILIES - ALLOCATOR_SPECS_MAX)
			usage__error("--families: more than %d", OPTIONS_FAMILIES - ALLOCATOR_SPECS_MAX);
		o->families[n] = family__named(name);
		if (!o->families[n++])
			usage__error("--families '%s' is not known; libc, malloc, c++, jemalloc, tcmalloc and "
				     "mimalloc are",
				     name);
	}
	o->with_callers = true;
}

static void set_returns(struct options *o, const char *how)
{
	o->no_return_probes = !strcmp(how, "insns");
	if (!o->no_return_probes && strcmp(how, "probes"))
		usage__error("--returns '%s' is not known; probes and insns are", how);
}

static void set_attach_path(struct options *o, const char *name)
{
	o->path = attach_path__parse(name);
	if (o->path == ATTACH_NONE)
		usage__error("--attach-path '%s' is not known; session, multi and perf are", name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case KEY_ATTACH_PATH:
		set_attach_path(o, arg);
		return 0;
	case KEY_STACKS:
		set_stacks(o, arg);
		return 0;
	case KEY_FAMILIES:
		set_families(o, arg);
		return 0;
	case KEY_RETURNS:
		set_returns(o, arg);
		return 0;
	case KEY_DEBUGGERS:
		o->debuggers_are_harmless = true;
		return 0;
	case KEY_AUDIT:
		o->audit = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp hidden__argp = {table, parse, NULL, NULL, NULL, NULL, NULL};
