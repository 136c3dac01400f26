/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "probe/attach_path.h"
#include "probe/uprobe_multi.h"

static const char *const names[] = {"session", "multi", "perf"};

const char *attach_path__name(enum attach_path path)
{
	return path < ATTACH_NONE ? names[path] : "none";
}

enum attach_path attach_path__parse(const char *name)
{
	int i;

	for (i = 0; i < ATTACH_NONE; i++) {
		if (!strcmp(names[i], name))
			return (enum attach_path)i;
	}
	return ATTACH_NONE;
}

/* What the trial attaches to. Not inlined, and not empty: the call must not be optimised away. */
static __attribute__((noinline)) void trial_function(void)
{
	__asm__ volatile("" ::: "memory");
}

static void *trial_thread(void *arg)
{
	trial_function();
	return arg;
}

static int call_from_thread(void)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, trial_thread, NULL);

	return err ? -err : -pthread_join(thread, NULL);
}

/* Our own program's file, and the offset of trial_function() in it. */
static int open_self(uint64_t *offset)
{
	__cleanup_fclose FILE *f = fopen("/proc/self/maps", "re");
	unsigned long long start, end, pgoff;
	uintptr_t at = (uintptr_t)trial_function;
	char line[4200];
	int fd;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%llx-%llx %*s %llx", &start, &end, &pgoff) == 3 && at >= start && at < end) {
			*offset = at - start + pgoff;
			fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
			return fd < 0 ? -errno : fd;
		}
	}
	return -ENOENT;
}

/* A program that adds one to element 0 of an array: r0 = lookup(map, &0); if (r0) lock *(u64 *)r0 += 1; return 0 */
static int load_counter(int map_fd, int attach_type)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd},
		{},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = (enum bpf_attach_type)attach_type);
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "lt_trial", "GPL", insns, sizeof(insns) / sizeof(insns[0]), &opts);

	return fd < 0 ? -errno : fd;
}

/* Attach for real and count the hits of one call in another thread. A session hits twice: entry and return. */
static int try_multi(enum attach_path path)
{
	__cleanup_close int map = -1, prog = -1, self = -1, link = -1;
	struct uprobe_multi m = {.path = path, .n = 1, .pid = getpid()};
	uint64_t offset = 0, cookie = 1, hits = 0, want = path == ATTACH_SESSION ? 2 : 1;
	uint32_t zero = 0;
	int err;

	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lt_trial", sizeof(uint32_t), sizeof(uint64_t), 1, NULL);
	if (map < 0)
		return -errno;
	prog = load_counter(map, uprobe_multi__attach_type(path));
	if (prog < 0)
		return prog;
	self = open_self(&offset);
	if (self < 0)
		return self;
	m.prog_fd = prog;
	m.file_fd = self;
	m.offsets = &offset;
	m.cookies = &cookie;
	link = uprobe_multi__link(&m);
	if (link < 0)
		return link;
	err = call_from_thread();
	if (!err && bpf_map_lookup_elem(map, &zero, &hits))
		err = -errno;
	if (!err && hits != want)
		err = -EBADE;
	return err;
}

/* The perf event's pid filter, its cookie (5.15) and libbpf's fallbacks are all exercised by the first real attach. */
static int try_perf(void)
{
	return access("/sys/bus/event_source/devices/uprobe/type", R_OK) ? -errno : 0;
}

static const char *why(int err)
{
	if (err == -EBADE)
		return "its pid filter misses threads on this kernel";
	return strerror(-err);
}

enum attach_path attach_path__choose(enum attach_path forced, struct err *e)
{
	int path, err = 0;

	for (path = ATTACH_SESSION; path < ATTACH_NONE; path++) {
		if (forced != ATTACH_NONE && forced != (enum attach_path)path)
			continue;
		err = path == ATTACH_PERF ? try_perf() : try_multi((enum attach_path)path);
		if (!err)
			return (enum attach_path)path;
		log__info("attach path %s does not work here: %s", names[path], why(err));
	}
	err__set(e, err,
		 "the kernel offers no way to attach uprobes%s%s (%s); Linux 5.15 or newer with CONFIG_UPROBE_EVENTS "
		 "is needed",
		 forced == ATTACH_NONE ? "" : " by the path ", forced == ATTACH_NONE ? "" : names[forced], why(err));
	return ATTACH_NONE;
}
