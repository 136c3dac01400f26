/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>
#include <string.h>

#include "cli/allocators.h"
#include "cli/hidden.h"
#include "cli/options.h"
#include "cli/refused.h"
#include "cli/usage.h"
#include "version.h"

/* The kernel makes no larger hash: its buckets would take 4 GiB (kernel/bpf/hashtab.c). */
#define MAX_BLOCKS (1u << 27)

enum {
	OPT_FORMAT = 0x100,
	OPT_EXACT,
	OPT_MAX_BLOCKS,
	OPT_MAX_SITES,
};

static const struct argp_option table[] = {
	{NULL, 0, NULL, 0, "What to trace:", 1},
	{"pid", 'p', "PID[,PID...]", 0, "Trace these processes", 0},
	{"command", 'c', "COMMAND", 0, "Run this command line by /bin/sh and trace it (the same as -- sh -c COMMAND)",
	 0},
	{NULL, 0, NULL, 0, "How long and how often:", 2},
	{"duration", 'd', "TIME", 0, "Stop after this time (ms s m h; a bare number is seconds)", 0},
	{NULL, 0, NULL, 0, "What to show:", 3},
	{"format", OPT_FORMAT, "text|json", 0, "Output format (default text)", 0},
	{"output", 'w', "FILE", 0, "Write the report to FILE instead of stdout", 0},
	{"top", 'T', "N", 0, "Show the N first sites (default 10 in text, all in JSON)", 0},
	{"older", 'o', "AGE", 0, "Show only what is older than AGE; needs a unit, as in 500ms or 2m", 0},
	{"show-addresses", 'a', NULL, 0, "List outstanding blocks under each site", 0},
	{"trace-events", 't', NULL, 0, "Print each block that comes (+), goes (-) or fails (!), as it happens", 0},
	{"quiet", 'q', NULL, 0, "Leave out what did not grow, fail or get lost", 0},
	{"verbose", 'v', NULL, 0, "Say more on stderr; twice: everything", 0},
	{NULL, 0, NULL, 0, "What to track:", 4},
	{"min-size", 'z', "SIZE", 0, "Ignore allocations smaller than SIZE (K M G)", 0},
	{"max-size", 'Z', "SIZE", 0, "Ignore allocations larger than SIZE (K M G)", 0},
	{"exact", OPT_EXACT, NULL, 0, "Track every block (the default, and so far the only way)", 0},
	{"max-blocks", OPT_MAX_BLOCKS, "N", 0, "Room for N outstanding blocks (default 2097152)", 0},
	{"max-sites", OPT_MAX_SITES, "N", 0, "Room for N call stacks (default 16384)", 0},
	{0},
};

static const char args_doc[] = "-p PID[,PID...] [INTERVAL [COUNT]]\n-- COMMAND [ARGS...]";
static const char doc[] =
	"Finds memory leaks in running processes: shows which call stacks hold memory that keeps growing.\n"
	"\v"
	"INTERVAL is the time between reports and the length of a window (default 5 s); COUNT ends the trace after "
	"that "
	"many reports. Without INTERVAL there is one report, at the end: Ctrl-C, SIGTERM, --duration, or when the "
	"target "
	"ends.\n\n"
	"Exit status: 0 traced to the end, 1 could not do what was asked, 2 wrong usage, 4 something was lost that "
	"changes "
	"the answer. With -- COMMAND the command's own status when none of these applies.\n\n"
	"Examples:\n"
	"  leaktrace -p 1234                 trace until Ctrl-C\n"
	"  leaktrace -p 1234 10 6            six reports, ten seconds apart\n"
	"  leaktrace -d 60 --format json -p 1234 -w report.json\n"
	"  leaktrace -- ./server --port 80   run and trace from its first instruction";

static const char *const later_commands[] = {"record", "report", "diff", "top", "oom", "agent"};

static void set_format(struct options *o, const char *name)
{
	static const char *const later[] = {"folded", "pprof", "html", "csv"};
	size_t i;

	for (i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		if (!strcmp(name, later[i]))
			usage__error("--format %s is not there yet; text and json are", name);
	}
	if (!strcmp(name, "json"))
		o->format = FORMAT_JSON;
	else if (!strcmp(name, "text"))
		o->format = FORMAT_TEXT;
	else
		usage__error("--format '%s' is not known; text and json are", name);
}

static void set_pids(struct options *o, const char *list)
{
	struct err e;

	if (o->pids.list.n)
		usage__error("-p is given twice; list all pids in one, as in -p 1234,5678");
	if (targets__parse(&o->pids, list, &e))
		usage__error("%s", e.text);
}

static void set_shell_command(struct options *o, const char *line)
{
	static char *argv[4];

	if (o->command)
		usage__error("-c '%s': there is another command; one trace runs one", line);
	argv[0] = "/bin/sh";
	argv[1] = "-c";
	argv[2] = (char *)line;
	o->command = argv;
}

static void set_positional(struct options *o, unsigned int index, const char *text)
{
	size_t i;

	if (o->doctor)
		usage__error("doctor takes no '%s'; give a process by -p PID", text);
	if (index == 0) {
		for (i = 0; i < sizeof(later_commands) / sizeof(later_commands[0]); i++) {
			if (!strcmp(text, later_commands[i]))
				usage__error("the command '%s' is not there yet; this version can trace", text);
		}
		o->interval_ns = usage__duration("INTERVAL", text);
		o->has_interval = true;
	} else if (index == 1) {
		o->count = usage__number("COUNT", text, 1, UINT32_MAX);
	} else {
		usage__error("too many arguments: '%s'; to run a command, put -- before it", text);
	}
}

/* Options that say what to show. */
static int parse_show(struct options *o, int key, const char *arg)
{
	switch (key) {
	case OPT_FORMAT:
		set_format(o, arg);
		return 0;
	case 'w':
		o->output = arg;
		return 0;
	case 'T':
		o->top = (unsigned int)usage__number("-T", arg, 1, 1000000);
		return 0;
	case 'o':
		o->min_age_ns = usage__age(arg);
		return 0;
	case 'a':
		o->show_addresses = true;
		return 0;
	case 't':
		o->events = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	case 'v':
		o->verbose++;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	int i;

	switch (key) {
	case ARGP_KEY_INIT:
		for (i = 0; state->root_argp->children[i].argp; i++)
			state->child_inputs[i] = o;
		return 0;
	case 'p':
		set_pids(o, arg);
		return 0;
	case 'c':
		set_shell_command(o, arg);
		return 0;
	case 'd':
		o->duration_ns = usage__duration("-d", arg);
		return 0;
	case 'z':
		o->min_size = usage__size("-z", arg);
		return 0;
	case 'Z':
		o->max_size = usage__size("-Z", arg);
		return 0;
	case OPT_EXACT:
		return 0;
	case OPT_MAX_BLOCKS:
		o->max_blocks = usage__number("--max-blocks", arg, 1, MAX_BLOCKS);
		return 0;
	case OPT_MAX_SITES:
		o->max_sites = usage__number("--max-sites", arg, 1, 1u << 20);
		return 0;
	case ARGP_KEY_ARG:
		set_positional(o, state->arg_num, arg);
		return 0;
	default:
		return parse_show(o, key, arg);
	}
}

/* Those of the user beside those that are known. */
static void add_allocators(struct options *o)
{
	struct family **f;
	unsigned int n = 0;

	while (o->families[n])
		n++;
	vec__each (&o->allocators.list, f)
		o->families[n++] = *f;
}

static void check(struct options *o)
{
	add_allocators(o);
	/* What they call may be in another file. */
	if (o->object)
		o->with_callers = true;
	if (o->doctor)
		return;
	if (!o->pids.list.n && !o->command)
		usage__error("nothing to trace; give -p PID, or -- COMMAND to run one");
	if (o->pids.list.n && o->command)
		usage__error("-p and a command cannot be traced together; choose one");
	if (o->min_size > o->max_size)
		usage__error("-z is larger than -Z: no allocation is left to track");
	if (o->events && o->format != FORMAT_TEXT)
		usage__error("-t prints lines of text; leave out --format, or use -a for the blocks that are left");
	/* Floors need windows to compare: a short trace gets shorter ones. */
	if (!o->has_interval && o->duration_ns && o->duration_ns / 12 < o->interval_ns)
		o->interval_ns = o->duration_ns / 12 > 100000000 ? o->duration_ns / 12 : 100000000;
}

static const struct argp_option doctor_table[] = {
	{"pid", 'p', "PID[,PID...]", 0, "Show what would be probed in these processes, and what that would cost", 0},
	{"format", OPT_FORMAT, "text|json", 0, "Output format (default text)", 0},
	{"output", 'w', "FILE", 0, "Write to FILE instead of stdout", 0},
	{"verbose", 'v', NULL, 0, "Say more on stderr; twice: everything", 0},
	{0},
};

static const char doctor_doc[] =
	"Says what leaktrace can do on this host and what a probe costs here; with -p what it would probe in a "
	"process, where and why, and what tracing it would cost.\n"
	"\v"
	"To find that out it traces a child of its own, and counts the calls of the process for at most 20 ms or 50000 "
	"calls.\n\n"
	"Exit status: 0 everything asked for can be traced, 1 not, 2 wrong usage.";

const char *argp_program_version = "leaktrace " LEAKTRACE_VERSION;

static const struct argp_child children[] = {
	{&refused__argp, 0, NULL, 0}, {&hidden__argp, 0, NULL, 0}, {&allocators__argp, 0, NULL, 0}, {0}};
static const struct argp trace_argp = {table, parse_option, args_doc, doc, children, NULL, NULL};
static const struct argp doctor_argp = {doctor_table, parse_option, "", doctor_doc, children + 1, NULL, NULL};

static void set_defaults(struct options *o)
{
	static const struct family *const known[] = {&family_libc,     &family_malloc,	 &family_cxx,
						     &family_jemalloc, &family_tcmalloc, &family_mimalloc};

	memset(o, 0, sizeof(*o));
	o->interval_ns = 5000000000ull;
	o->max_size = UINT64_MAX;
	o->max_blocks = 1 << 21;
	o->max_sites = 1 << 14;
	o->path = ATTACH_NONE;
	o->stacks = STACKS_ANY;
	memcpy(o->families, known, sizeof(known));
}

/* The command's name, if one is given; "trace" is the default. argv[0] begins argp's own messages. */
static void take_command(struct options *o, int *argc, char ***argv)
{
	(*argv)[0] = "leaktrace";
	if (*argc < 2)
		return;
	o->doctor = !strcmp((*argv)[1], "doctor");
	if (!o->doctor && strcmp((*argv)[1], "trace"))
		return;
	(*argv)[1] = o->doctor ? "leaktrace doctor" : "leaktrace";
	--*argc;
	++*argv;
}

void options__parse(struct options *o, int argc, char **argv)
{
	int i, own;

	set_defaults(o);
	argp_err_exit_status = EXIT_USAGE;
	take_command(o, &argc, &argv);
	own = argc;
	for (i = 1; i < argc && !o->doctor; i++) {
		if (!strcmp(argv[i], "--")) {
			own = i;
			o->command = argv + i + 1;
			break;
		}
	}
	if (o->command && !o->command[0])
		usage__error("-- is not followed by a command");
	argp_parse(o->doctor ? &doctor_argp : &trace_argp, own, argv, 0, NULL, o);
	check(o);
}
