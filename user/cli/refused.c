/* SPDX-License-Identifier: GPL-2.0-only */
#include <argp.h>

#include "cli/refused.h"
#include "cli/usage.h"

enum {
	KEY_FIRST = 0x200,
	KEY_FAIL_ON_LEAK = KEY_FIRST,
	KEY_CONTAINER,
	KEY_ALL,
	KEY_SAMPLE,
	KEY_MAX_OVERHEAD,
	KEY_NO_MMAP,
	KEY_FOLLOW,
	KEY_REACH,
};

static const struct {
	int key;
	const char *option, *hint;
} refused[] = {
	{KEY_FAIL_ON_LEAK, "--fail-on-leak",
	 "needs verdicts, which this version does not give yet; \"rising\" in the report is all it knows"},
	{'n', "-n", "selecting by name is not there yet; -p $(pidof NAME) traces one by name"},
	{'g', "-g", "selecting by cgroup is not there yet; give pids: -p PID,PID"},
	{KEY_CONTAINER, "--container",
	 "selecting by container is not there yet; give the pid as the host sees it: -p PID"},
	{KEY_ALL, "--all", "tracing every process is not there yet; give pids: -p PID,PID"},
	{'s', "-s", "memleak's every-Nth sampling is biased and not offered; --sample BYTES comes in a later version"},
	{KEY_SAMPLE, "--sample", "sampling is not there yet; this version tracks every block"},
	{KEY_MAX_OVERHEAD, "--max-overhead",
	 "the overhead governor is not there yet; this version tracks every block at full cost"},
	{KEY_NO_MMAP, "--no-mmap", "mappings are not tracked yet, so there is nothing to switch off"},
	{KEY_FOLLOW, "--follow", "following forks is not there yet; give the child's pid: -p PID,PID"},
	{KEY_REACH, "--reach", "reachability is not there yet; the report shows who allocated"},
};

/* A value is optional for all, so that none is asked for before the option is refused. */
#define HIDDEN OPTION_HIDDEN | OPTION_ARG_OPTIONAL

static const struct argp_option table[] = {
	{"fail-on-leak", KEY_FAIL_ON_LEAK, "", HIDDEN, NULL, 0},
	{"name", 'n', "", HIDDEN, NULL, 0},
	{"cgroup", 'g', "", HIDDEN, NULL, 0},
	{"container", KEY_CONTAINER, "", HIDDEN, NULL, 0},
	{"all", KEY_ALL, "", HIDDEN, NULL, 0},
	{NULL, 's', "", HIDDEN, NULL, 0},
	{"sample", KEY_SAMPLE, "", HIDDEN, NULL, 0},
	{"max-overhead", KEY_MAX_OVERHEAD, "", HIDDEN, NULL, 0},
	{"no-mmap", KEY_NO_MMAP, "", HIDDEN, NULL, 0},
	{"follow", KEY_FOLLOW, "", HIDDEN, NULL, 0},
	{"reach", KEY_REACH, "", HIDDEN, NULL, 0},
	{0},
};

static error_t refuse(int key, char *arg __attribute__((unused)), struct argp_state *state __attribute__((unused)))
{
	unsigned int i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (refused[i].key == key)
			usage__error("%s: %s", refused[i].option, refused[i].hint);
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp refused__argp = {table, refuse, NULL, NULL, NULL, NULL, NULL};
