/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmlinux: the kernel types that bpf/ reads, by name only. Offsets come from the running kernel when the program is
 * loaded (CO-RE), so a struct here lists the few fields of interest, in any order.
 *
 * README.md says how to add one; tests/lint/vmlinux_check.py compares it with a kernel.
 */
#pragma once

#define __VMLINUX_H__ /* tells <bpf/bpf_tracing.h> that registers have their kernel names: di, not rdi */

#include <stdbool.h> /* both come with the compiler, not with a libc */
#include <stddef.h>

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;

typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;

/* Named by the helper declarations of <bpf/bpf_helpers.h>. */
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

typedef int pid_t;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

/* For bpf_map_update_elem(). */
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};

/* For map_flags. */
enum {
	BPF_F_NO_PREALLOC = 1,
	BPF_F_MMAPABLE = 1024,
};

/* For bpf_get_stack(). */
enum {
	BPF_F_USER_STACK = 256,
};

/* For bpf_ringbuf_submit() and its like. */
enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

/* For bpf_task_storage_get(). */
enum {
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};

#ifdef __clang__
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#endif

struct file;
struct mm_struct;
struct signal_struct;
struct uprobe_task;

typedef struct {
	int counter;
} atomic_t;

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

/* One number for each namespace from the outermost, level + 1 of them. */
struct pid {
	unsigned int level;
	struct upid numbers[];
};

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_time;
	u64 start_boottime;
	char comm[16];
	struct signal_struct *signal;
	u64 self_exec_id;
	unsigned long sas_ss_sp;
	size_t sas_ss_size;
	struct uprobe_task *utask;
};

struct mm_struct {
	struct file *exe_file;
};

struct super_block {
	unsigned int s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct dentry {
	struct inode *d_inode;
};

struct path {
	struct dentry *dentry;
};

typedef unsigned int fmode_t;

struct file {
	struct inode *f_inode;
	fmode_t f_mode;
};

/* What is mapped of a file on overlayfs since 6.7; user_path is in a union. */
struct backing_file {
	struct file file;
	struct path user_path;
};

/* vm_flags is const and in a union since 6.3; its place and size are those of the plain word. */
struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	int notify_count;
	struct task_struct *group_exec_task; /* group_exit_task before 5.17 */
	unsigned int flags;
};

/* What the kernel keeps for each return probe under way: the return address that it replaced on the stack. */
struct return_instance {
	unsigned long stack;
	unsigned long orig_ret_vaddr;
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
	unsigned int depth; /* how many of them */
};

/* cs and ss became 16 bits wide, inside unions, in 6.9; libbpf narrows the load. */
struct pt_regs {
	unsigned long r15;
	unsigned long r14;
	unsigned long r13;
	unsigned long r12;
	unsigned long bp;
	unsigned long bx;
	unsigned long r11;
	unsigned long r10;
	unsigned long r9;
	unsigned long r8;
	unsigned long ax;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long cs;
	unsigned long flags;
	unsigned long sp;
	unsigned long ss;
};

struct bpf_raw_tracepoint_args {
	__u64 args[0];
};

struct bpf_iter__task {
	union {
		struct bpf_iter_meta *meta;
	};
	union {
		struct task_struct *task;
	};
};

#ifdef __clang__
#pragma clang attribute pop
#endif
