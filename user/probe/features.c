/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/attach_path.h"
#include "probe/features.h"
#include "probe/loader.h"
#include "probe/privilege.h"
#include "probe/return_trial.h"

static struct feature *add(struct features *f, const char *id, const char *name, bool there)
{
	struct feature *it = vec__add(&f->list);

	if (!it)
		return NULL;
	it->id = id;
	it->name = name;
	it->state = there ? FEATURE_THERE : FEATURE_MISSING;
	return it;
}

/* A missing one says why, and what to do. Returns -ENOMEM when it could not be added. */
static int say(struct feature *it, const char *detail)
{
	if (!it)
		return -ENOMEM;
	if (it->state != FEATURE_THERE)
		err__set(&it->detail, 0, "%s", detail);
	return 0;
}

static int require(struct feature *it, const char *detail)
{
	if (it)
		it->required = true;
	return say(it, detail);
}

static int add_basics(struct features *f)
{
	bool btf = !access("/sys/kernel/btf/vmlinux", R_OK);
	struct err why = {};
	int err = require(add(f, "privileges", "permission to trace", !privilege__check_capabilities(&why)), why.text);

	if (!err)
		err = require(add(f, "btf", "kernel type information (BTF)", btf),
			      "the kernel needs CONFIG_DEBUG_INFO_BTF=y; use one of a distribution of 2021 or later");
	if (!err)
		err = require(add(f, "attach_cookies", "attach cookies",
				  libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL) == 1),
			      "they came with Linux 5.15; use that or a newer one");
	return err;
}

static int add_path(struct features *f, enum attach_path path, const char *id, const char *name,
		    enum attach_path forced)
{
	struct err why = {};
	int err = attach_path__try(path, &why);
	struct feature *it = add(f, id, name, !err);

	/* Who may not try does not know. */
	if (it && (err == -EPERM || err == -EACCES))
		it->state = FEATURE_UNKNOWN;
	if (it && !err && f->path == ATTACH_NONE && (forced == ATTACH_NONE || forced == path)) {
		f->path = path;
		it->used = true;
	}
	return say(it, why.text);
}

static int add_paths(struct features *f, enum attach_path forced)
{
	int err;

	f->path = ATTACH_NONE;
	err = add_path(f, ATTACH_SESSION, "uprobe_session", "uprobe sessions", forced);
	if (!err)
		err = add_path(f, ATTACH_MULTI, "uprobe_multi", "uprobe_multi links", forced);
	if (!err)
		err = add_path(f, ATTACH_PERF, "uprobe_perf", "perf uprobes", forced);
	return err;
}

/* A number in a file of /proc; -1 when there is none. */
static int read_number(const char *path)
{
	__cleanup_fclose FILE *f = fopen(path, "re");
	int value;

	return f && fscanf(f, "%d", &value) == 1 ? value : -1;
}

/* The code itself, with maps of little room. */
static int add_code(struct features *f)
{
	struct loader_options o = {
		.max_blocks = 1024,
		.max_sites = 64,
		.max_size = UINT64_MAX,
		.path = f->path,
		.stacks = STACKS_BY_TABLES,
		.rows = 1024,
	};
	enum stack_method stacks;
	struct leaktrace_bpf *bpf;
	struct err why = {};
	struct feature *it;

	bpf = f->path == ATTACH_NONE ? NULL : loader__load(&o, &stacks, &why);
	it = add(f, "unwind_tables", "call stacks by unwind tables", bpf);
	if (bpf)
		loader__free(bpf);
	if (it && f->path == ATTACH_NONE)
		it->state = FEATURE_UNKNOWN;
	return say(it, f->path == ATTACH_NONE ? "no way to attach" : why.text);
}

static int add_helpers(struct features *f)
{
	int jit = read_number("/proc/sys/net/core/bpf_jit_enable");
	struct feature *it;
	int err;

	err = say(add(f, "find_vma", "asking the kernel for a mapping",
		      libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_find_vma, NULL) == 1),
		  "it came with Linux 5.17; without it call stacks are finished in user space while libraries come and "
		  "go");
	if (err)
		return err;
	it = add(f, "jit", "BPF programs compiled", jit > 0);
	if (it && jit < 0)
		it->state = FEATURE_UNKNOWN;
	return say(it, jit < 0 ? "/proc/sys/net/core/bpf_jit_enable cannot be read"
			       : "they are interpreted, several times slower; sysctl net.core.bpf_jit_enable=1");
}

static int add_return_trial(struct features *f, enum return_trial what, const char *id, const char *name,
			    const char *none)
{
	struct err why = {};
	int result = f->path == ATTACH_NONE ? -EINVAL : return_trial__run(what, f->path, &why);
	struct feature *it = add(f, id, name, !result);

	if (f->path == ATTACH_NONE)
		err__set(&why, 0, "no way to attach");
	if (it && result == -ENOTSUP) {
		it->state = FEATURE_THERE;
		err__set(&it->detail, 0, "%s", none);
	} else if (it && result && result != -EOWNERDEAD) {
		it->state = FEATURE_UNKNOWN;
	} else if (result) {
		strncat(why.text,
			"; returns are seen at ret instructions instead, which is slower and not possible for "
			"all functions",
			sizeof(why.text) - strlen(why.text) - 1);
	}
	return say(it, why.text);
}

static int probe(struct features *f, enum attach_path forced)
{
	int err = add_basics(f);

	if (!err)
		err = add_paths(f, forced);
	if (!err)
		err = add_code(f);
	if (!err)
		err = add_helpers(f);
	if (!err)
		err = add_return_trial(f, RETURN_TRIAL_SECCOMP, FEATURE_RETURNS_UNDER_SECCOMP,
				       "return probes in seccomp-filtered processes",
				       "this kernel has no seccomp filters");
	if (!err)
		err = add_return_trial(f, RETURN_TRIAL_SHADOW_STACK, "returns_with_shadow_stack",
				       "return probes in processes with a shadow stack",
				       "this machine has no shadow stacks");
	return err;
}

int features__probe(struct features *f, enum attach_path forced)
{
	const struct feature *it;
	int err;

	memset(f, 0, sizeof(*f));
	err = probe(f, forced);
	f->can_trace = f->path != ATTACH_NONE;
	vec__each (&f->list, it)
		f->can_trace &= !it->required || it->state == FEATURE_THERE;
	return err;
}

void features__free(struct features *f)
{
	vec__free(&f->list);
}
