/* SPDX-License-Identifier: GPL-2.0-only */
#include "abi.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "leaktrace.skel.h"
#include "probe/loader.h"
#include "probe/uprobe.h"

/* Half a second of 200000 events a second, and some. User space looks ten times a second. */
#define EVENTS_BYTES (8u << 20)

#define MAX_POOLS  (1u << 16)
#define MAX_POOLED (1u << 18) /* blocks from pools that nobody has spoken of: mimalloc's heaps */

/* libbpf's own lines: its warnings come with failures that we explain ourselves, so they show with -v only. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	__cleanup_free char *text = NULL;
	char *rest, *line;

	if (log__level() < (level == LIBBPF_DEBUG ? LOG_DEBUG : LOG_INFO) || vasprintf(&text, fmt, ap) < 0)
		return 0;
	/* What the verifier said comes as one message of many lines. */
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			log__at(level == LIBBPF_DEBUG ? LOG_DEBUG : LOG_INFO, "%s", line);
	}
	return 0;
}

struct bpf_program *loader__session_program(struct leaktrace_bpf *bpf, enum stack_method stacks)
{
	return stacks == STACKS_BY_TABLES ? bpf->progs.on_session : bpf->progs.on_session_fp;
}

struct bpf_program *loader__enter_program(struct leaktrace_bpf *bpf, enum stack_method stacks)
{
	return stacks == STACKS_BY_TABLES ? bpf->progs.on_enter : bpf->progs.on_enter_fp;
}

static void choose_programs(struct leaktrace_bpf *bpf, enum attach_path path, enum stack_method stacks)
{
	struct bpf_program *session = loader__session_program(bpf, stacks);
	struct bpf_program *enter = loader__enter_program(bpf, stacks);
	enum bpf_attach_type type = (enum bpf_attach_type)uprobe__attach_type(path);

	if (path == ATTACH_SESSION) {
		bpf_program__set_autoload(session, true);
	} else {
		bpf_program__set_autoload(enter, true);
		bpf_program__set_autoload(bpf->progs.on_leave, true);
	}
	bpf_program__set_autoload(bpf->progs.on_loader, stacks == STACKS_BY_TABLES);
	bpf_program__set_autoload(bpf->progs.on_reset, loader__can_reset());
	bpf_program__set_autoload(bpf->progs.on_exec, true);
	bpf_program__set_autoload(bpf->progs.on_exit, true);
	bpf_program__set_autoload(bpf->progs.on_fork, true);
	bpf_program__set_autoload(bpf->progs.make_state, true);
	if (path == ATTACH_PERF)
		return;
	bpf_program__set_expected_attach_type(session, type);
	bpf_program__set_expected_attach_type(enter, type);
	bpf_program__set_expected_attach_type(bpf->progs.on_leave, type);
	/* All of one type: the kernel lets programs share the (empty) map of tail calls only so. */
	bpf_program__set_expected_attach_type(bpf->progs.on_loader, type);
	bpf_program__set_expected_attach_type(bpf->progs.on_reset, type);
}

bool loader__can_reset(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 1;
}

static int configure(struct leaktrace_bpf *bpf, const struct loader_options *o, enum stack_method stacks)
{
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns))
		return -errno;
	bpf->rodata->cfg_pidns = (u32)ns.st_ino;
	bpf->rodata->cfg_find_vma = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_find_vma, NULL) == 1;
	bpf->rodata->cfg_sessions = o->path == ATTACH_SESSION;
	bpf->rodata->cfg_vm_children_hit = o->path == ATTACH_PERF;
	bpf->rodata->cfg_max_sites = (u32)o->max_sites;
	bpf->rodata->cfg_min_size = o->min_size;
	bpf->rodata->cfg_max_size = o->max_size;
	bpf->rodata->cfg_events = o->events;
	bpf->bss->state.window = 1;
	bpf_map__set_max_entries(bpf->maps.blocks, (u32)o->max_blocks);
	bpf_map__set_max_entries(bpf->maps.sites, (u32)(o->max_sites + LT_MAX_SLOTS));
	bpf_map__set_max_entries(bpf->maps.site_ids, (u32)o->max_sites);
	bpf_map__set_max_entries(bpf->maps.pools, MAX_POOLS);
	bpf_map__set_max_entries(bpf->maps.pooled, o->pools ? (u32)o->max_blocks : MAX_POOLED);
	if (o->events)
		bpf_map__set_max_entries(bpf->maps.events, EVENTS_BYTES);
	bpf_map__set_max_entries(bpf->maps.rows, stacks == STACKS_BY_TABLES ? (u32)o->rows : 1);
	choose_programs(bpf, o->path, stacks);
	return 0;
}

static int attach_lifecycle(struct leaktrace_bpf *bpf)
{
	bpf->links.on_exec = bpf_program__attach(bpf->progs.on_exec);
	bpf->links.on_exit = bpf_program__attach(bpf->progs.on_exit);
	bpf->links.on_fork = bpf_program__attach(bpf->progs.on_fork);
	return bpf->links.on_exec && bpf->links.on_exit && bpf->links.on_fork ? 0 : -errno;
}

/* Of what the programs need, attach cookies came last: a kernel without them is too old, whatever it complained of. */
static const char *load_hint(int err)
{
	if (!libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL))
		return "it has no attach cookies for probes; use Linux 5.15 or newer";
	switch (err) {
	case -ENOMEM:
	case -E2BIG:
		return "not enough memory for its maps; use a smaller --max-blocks or --max-sites";
	case -EPERM:
		return "a security module or lockdown forbids it; see `dmesg`";
	default:
		return "it lacks a feature; -v shows its own words";
	}
}

static int load(struct leaktrace_bpf **bpf, const struct loader_options *o, enum stack_method stacks)
{
	int err;

	*bpf = leaktrace_bpf__open();
	if (!*bpf)
		return -errno;
	err = configure(*bpf, o, stacks);
	if (!err)
		err = leaktrace_bpf__load(*bpf);
	if (!err)
		err = attach_lifecycle(*bpf);
	if (!err)
		return 0;
	leaktrace_bpf__destroy(*bpf);
	*bpf = NULL;
	return err;
}

struct leaktrace_bpf *loader__load(const struct loader_options *o, enum stack_method *stacks, struct err *e)
{
	struct leaktrace_bpf *bpf;
	int err, again;

	libbpf_set_print(print_libbpf);
	*stacks = o->stacks == STACKS_ANY ? STACKS_BY_TABLES : o->stacks;
	err = load(&bpf, o, *stacks);
	if (err && o->stacks == STACKS_ANY && err != -EPERM && err != -ENOMEM) {
		again = load(&bpf, o, STACKS_BY_FRAME_POINTERS);
		if (!again) {
			*stacks = STACKS_BY_FRAME_POINTERS;
			log__warn(
				"this kernel refuses the code that walks call stacks by unwind tables (%s): they "
				"follow "
				"FRAME POINTERS ONLY, and are short or wrong in code built without them; -v shows the "
				"kernel's own words",
				strerror(-err));
			return bpf;
		}
	}
	if (bpf)
		return bpf;
	err__set(e, err, "the kernel does not take the BPF code (%s): %s", strerror(-err), load_hint(err));
	return NULL;
}

void loader__free(struct leaktrace_bpf *bpf)
{
	leaktrace_bpf__destroy(bpf);
}
