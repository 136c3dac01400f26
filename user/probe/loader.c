/* SPDX-License-Identifier: GPL-2.0-only */
#include "abi.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "leaktrace.skel.h"
#include "probe/loader.h"
#include "probe/uprobe_multi.h"

/* libbpf's own lines: its warnings come with failures that we explain ourselves, so they show with -v only. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[1024];

	if (log__level() < (level == LIBBPF_DEBUG ? LOG_DEBUG : LOG_INFO))
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log__at(level == LIBBPF_DEBUG ? LOG_DEBUG : LOG_INFO, "%s", line);
	return 0;
}

static void choose_programs(struct leaktrace_bpf *bpf, enum attach_path path)
{
	bool session = path == ATTACH_SESSION;

	bpf_program__set_autoload(bpf->progs.on_session, session);
	bpf_program__set_autoload(bpf->progs.on_enter, !session);
	bpf_program__set_autoload(bpf->progs.on_leave, !session);
	bpf_program__set_autoload(bpf->progs.on_exec, true);
	bpf_program__set_autoload(bpf->progs.on_exit, true);
	bpf_program__set_autoload(bpf->progs.on_fork, true);
	if (path == ATTACH_PERF)
		return;
	bpf_program__set_expected_attach_type(bpf->progs.on_session, uprobe_multi__attach_type(path));
	bpf_program__set_expected_attach_type(bpf->progs.on_enter, uprobe_multi__attach_type(path));
	bpf_program__set_expected_attach_type(bpf->progs.on_leave, uprobe_multi__attach_type(path));
}

static int configure(struct leaktrace_bpf *bpf, const struct loader_options *o)
{
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns))
		return -errno;
	bpf->rodata->cfg_pidns = (u32)ns.st_ino;
	bpf->rodata->cfg_vm_children_hit = o->path == ATTACH_PERF;
	bpf->rodata->cfg_max_sites = (u32)o->max_sites;
	bpf->rodata->cfg_min_size = o->min_size;
	bpf->rodata->cfg_max_size = o->max_size;
	bpf->bss->state.window = 1;
	bpf_map__set_max_entries(bpf->maps.blocks, (u32)o->max_blocks);
	bpf_map__set_max_entries(bpf->maps.sites, (u32)(o->max_sites + LT_MAX_SLOTS));
	bpf_map__set_max_entries(bpf->maps.site_ids, (u32)o->max_sites);
	choose_programs(bpf, o->path);
	return 0;
}

static int attach_lifecycle(struct leaktrace_bpf *bpf)
{
	bpf->links.on_exec = bpf_program__attach(bpf->progs.on_exec);
	bpf->links.on_exit = bpf_program__attach(bpf->progs.on_exit);
	bpf->links.on_fork = bpf_program__attach(bpf->progs.on_fork);
	return bpf->links.on_exec && bpf->links.on_exit && bpf->links.on_fork ? 0 : -errno;
}

static const char *load_hint(int err)
{
	switch (err) {
	case -ENOMEM:
	case -E2BIG:
		return "not enough memory for its maps: lower --max-blocks or --max-sites";
	case -EPERM:
		return "a security module or lockdown forbids it: see `dmesg`";
	default:
		return "the kernel is older than 5.15, or lacks a feature: -v shows its own words";
	}
}

struct leaktrace_bpf *loader__load(const struct loader_options *o, struct err *e)
{
	struct leaktrace_bpf *bpf;
	int err;

	libbpf_set_print(print_libbpf);
	bpf = leaktrace_bpf__open();
	if (!bpf) {
		err__set(e, -errno, "cannot open the BPF code inside leaktrace: %s", strerror(errno));
		return NULL;
	}
	err = configure(bpf, o);
	if (!err)
		err = leaktrace_bpf__load(bpf);
	if (!err)
		err = attach_lifecycle(bpf);
	if (!err)
		return bpf;
	err__set(e, err, "the kernel does not take the BPF code (%s): %s", strerror(-err), load_hint(err));
	leaktrace_bpf__destroy(bpf);
	return NULL;
}

void loader__free(struct leaktrace_bpf *bpf)
{
	leaktrace_bpf__destroy(bpf);
}
