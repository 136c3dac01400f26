/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/trial.h"

/* In assembly, so that they begin as they should whatever the compiler's options are; never inlined for the same
 * reason.
 */
__asm__(".text\n"
	".p2align 4\n.globl trial__emulated\n.type trial__emulated, @function\n"
	"trial__emulated:\n\t.cfi_startproc\n\tpush %rbp\n\tpop %rbp\n\tret\n\t.cfi_endproc\n"
	".size trial__emulated, . - trial__emulated\n"
	".p2align 4\n.globl trial__stepped\n.type trial__stepped, @function\n"
	"trial__stepped:\n\t.cfi_startproc\n\ttest %rdi, %rdi\n\tret\n\t.cfi_endproc\n"
	".size trial__stepped, . - trial__stepped\n");

/* Where a function of our own lies in our program's file. */
static int file_offset(trial_function *fn, uint64_t *offset)
{
	__cleanup_fclose FILE *f = fopen("/proc/self/maps", "re");
	uint64_t start, end, pgoff;
	uintptr_t at = (uintptr_t)fn;
	char line[4200];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &pgoff) == 3 && at >= start &&
		    at < end) {
			*offset = at - start + pgoff;
			return 0;
		}
	}
	return -ENOENT;
}

/*
 * What the program of a session returns at an entry decides about the return. On the other paths nothing but 0 is safe:
 * to uprobe_multi of some kernels 1 means that the probe is to be taken away (UPROBE_HANDLER_REMOVE).
 */
static int32_t returned(enum attach_path path, enum trial_program program)
{
	return path == ATTACH_SESSION && (program == TRIAL_COUNTS_ENTRIES || program == TRIAL_EMPTY_ENTRIES);
}

/* key = get_attach_cookie(ctx); hits = lookup(map, &key); if (hits) lock *hits += 1; return value */
static int load_counting(int map_fd, int32_t value, struct bpf_prog_load_opts *opts)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie},
		{.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .src_reg = BPF_REG_0, .off = -4},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
		{.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_fd},
		{},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2, .imm = 0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "lt_trial", "GPL", insns, sizeof(insns) / sizeof(insns[0]), opts);
}

static int load_empty(int32_t value, struct bpf_prog_load_opts *opts)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "lt_trial", "GPL", insns, sizeof(insns) / sizeof(insns[0]), opts);
}

int trial__begin(struct trial *t, enum attach_path path, enum trial_program program, uint32_t n)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = (enum bpf_attach_type)uprobe__attach_type(path));
	int32_t value = returned(path, program);

	memset(t, 0, sizeof(*t));
	t->path = path;
	t->map_fd = t->prog_fd = -1;
	t->self_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (t->self_fd < 0)
		return -errno;
	if (program == TRIAL_COUNTS || program == TRIAL_COUNTS_ENTRIES) {
		t->map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lt_trial", sizeof(uint32_t), sizeof(uint64_t), n, NULL);
		if (t->map_fd < 0)
			return -errno;
		t->prog_fd = load_counting(t->map_fd, value, &opts);
	} else {
		t->prog_fd = load_empty(value, &opts);
	}
	return t->prog_fd < 0 ? -errno : 0;
}

int trial__attach(struct trial *t, trial_function *fn, pid_t pid, bool at_return, uint64_t cookie)
{
	uint64_t offset;
	struct uprobe u = {
		.prog_fd = t->prog_fd,
		.path = t->path,
		.at_return = at_return,
		.file_fd = t->self_fd,
		.offsets = &offset,
		.cookies = &cookie,
		.n = 1,
		.pid = pid,
	};
	int err = file_offset(fn, &offset);

	return err ? err : uprobe__attach(&u, &t->links);
}

uint64_t trial__hits(const struct trial *t, uint32_t cookie)
{
	uint64_t hits = 0;

	return bpf_map_lookup_elem(t->map_fd, &cookie, &hits) ? 0 : hits;
}

void trial__end(struct trial *t)
{
	uprobe_links__close(&t->links);
	cleanup__close(&t->prog_fd);
	cleanup__close(&t->map_fd);
	cleanup__close(&t->self_fd);
}
