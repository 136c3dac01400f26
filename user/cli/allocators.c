/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/allocators.h"
#include "cli/options.h"
#include "cli/usage.h"

enum {
	KEY_ALLOCATOR = 0x400,
	GROUP_TRACK = 4, /* "What to track:" */
};

/* The long names of -O and -S are memleak's, --obj as what begins --object. */
static const struct argp_option table[] = {
	{"allocator", KEY_ALLOCATOR, "SPEC|@FILE", 0,
	 "Trace this allocator, too, as in 'pool: alloc=pool_get(size=2) free=pool_put(ptr=2)'; repeatable",
	 GROUP_TRACK},
	{"object", 'O', "FILE", 0, "Look for allocators only in this file of the target", 0},
	{"symbols-prefix", 'S', "PREFIX", 0, "Trace PREFIXmalloc, PREFIXfree and their kin, too; repeatable", 0},
	{0},
};

static void set_object(struct options *o, const char *file)
{
	if (o->object)
		usage__error("-O '%s': -O is given twice; allocators are looked for in one file or in all", file);
	if (!file[0])
		usage__error("-O '': give a file that the target has mapped, as in -O libx.so");
	o->object = file;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	struct err e;

	switch (key) {
	case KEY_ALLOCATOR:
		if (allocator_specs__add(&o->allocators, arg, &e))
			usage__error("%s", e.text);
		return 0;
	case 'O':
		set_object(o, arg);
		return 0;
	case 'S':
		if (allocator_specs__add_prefix(&o->allocators, arg, &e))
			usage__error("%s", e.text);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp allocators__argp = {table, parse, NULL, NULL, NULL, NULL, NULL};
