/* SPDX-License-Identifier: GPL-2.0-only */
#include "abi.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/vec.h"
#include "leaktrace.skel.h"
#include "probe/debugger.h"
#include "probe/elf_image.h"
#include "probe/loader_watch.h"
#include "probe/uprobe.h"

/* Where a loader gives its notices. */
struct notice {
	uint64_t offset;   /* of _dl_debug_state() in the file */
	uint64_t distance; /* from there to the loader's r_debug in memory; 0: unknown */
};

/* A loader in a process. */
struct loader_watch {
	pid_t pid;
	const struct module *module;
	struct uprobe_links links;
};

struct loader_watches {
	struct leaktrace_bpf *bpf;
	enum attach_path path;
	bool debuggers_are_harmless;
	VEC(struct loader_watch) list;
};

struct loader_watches *loader_watches__new(struct leaktrace_bpf *bpf, enum attach_path path,
					   bool debuggers_are_harmless)
{
	struct loader_watches *w = calloc(1, sizeof(*w));

	if (w) {
		w->bpf = bpf;
		w->path = path;
		w->debuggers_are_harmless = debuggers_are_harmless;
	}
	return w;
}

void loader_watches__give_links(struct loader_watches *w, struct uprobe_links *to)
{
	struct loader_watch *it;

	if (!w)
		return;
	vec__each (&w->list, it)
		uprobe_links__move(to, &it->links);
}

void loader_watches__free(struct loader_watches *w)
{
	struct loader_watch *it;

	if (!w)
		return;
	vec__each (&w->list, it)
		uprobe_links__close(&it->links);
	vec__free(&w->list);
	free(w);
}

/* By name first: the symbols of every library would have to be read else. musl's loader is its libc. */
static bool may_be_loader(const struct module *m)
{
	const char *name = module__name(m);

	return !strncmp(name, "ld-", 3) || !strncmp(name, "ld.so", 5) || !strncmp(name, "libc.so", 7);
}

static int take_address(const struct elf_fn *f, void *ctx)
{
	if (strcmp(f->name, "_dl_debug_state"))
		return 0;
	*(uint64_t *)ctx = f->vaddr;
	return 1;
}

static int find_notice(struct notice *n, const struct module *m)
{
	uint64_t function = 0, r_debug = 0;
	struct elf_image *img;
	int err;

	if (!may_be_loader(m))
		return -ENOENT;
	img = elf_image__open(m, &err);
	if (!img)
		return err;
	if (elf_image__each_function(img, take_address, &function)) {
		n->distance = elf_image__object(img, "_r_debug", &r_debug) ? 0 : r_debug - function;
		err = elf_image__file_offset(img, function, &n->offset);
	} else {
		err = -ENOENT;
	}
	elf_image__close(img);
	return err;
}

static int attach(struct loader_watches *w, struct loader_watch *it, const struct notice *n)
{
	struct uprobe u = {
		.prog_fd = bpf_program__fd(w->bpf->progs.on_loader),
		.path = w->path,
		.file_fd = it->module->fd,
		.offsets = &n->offset,
		.cookies = &n->distance,
		.n = 1,
		.pid = it->pid,
	};

	return uprobe__attach(&u, &it->links);
}

static bool is_watched(const struct loader_watches *w, pid_t pid, const struct module *m)
{
	const struct loader_watch *it;

	vec__each (&w->list, it) {
		if (it->pid == pid && it->module == m)
			return true;
	}
	return false;
}

static bool watch(struct loader_watches *w, pid_t pid, const struct module *m)
{
	struct notice n = {};
	struct loader_watch *it;
	int err;

	if (is_watched(w, pid, m) || find_notice(&n, m))
		return false;
	it = vec__add(&w->list);
	if (!it)
		return false;
	it->pid = pid;
	it->module = m;
	err = attach(w, it, &n);
	if (err)
		log__info("%s in process %d: cannot watch the loader: %s", m->path, pid, strerror(-err));
	return !err;
}

bool loader_watches__has(const struct loader_watches *w, pid_t pid)
{
	const struct loader_watch *it;

	vec__each (&w->list, it) {
		if (it->pid == pid)
			return true;
	}
	return false;
}

bool loader_watches__add(struct loader_watches *w, pid_t pid, const struct mappings *m)
{
	const struct mapping *at;
	bool any = false;

	if (!w->debuggers_are_harmless && debugger__of(pid))
		return false;
	vec__each (&m->list, at)
		any |= at->module && watch(w, pid, at->module);
	return any;
}
