/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walk_vma: what lies at a pc, asked of the kernel and not of the copy of the mappings that user space has made. It
 * costs some 300 ns a frame, so it is for what the copy does not know, or may have wrong.
 */
#pragma once

#include "maps.h"

#define VM_EXEC	   0x4
#define PAGE_SHIFT 12

/* Bit 25 at first, then 24, while 25 became another flag: what is read then is no inode that anyone has told us. */
#define FMODE_BACKING 0x3000000

struct found_vma {
	u64 start, offset; /* offset of start in the file */
	u64 executable;
	struct lt_file_key file;      /* inode 0: no file */
	struct lt_file_key user_file; /* of overlayfs, as its user knows it; inode 0: no other */
};

static __always_inline void read_key(struct inode *inode, struct lt_file_key *key)
{
	key->inode = BPF_CORE_READ(inode, i_ino);
	key->device = BPF_CORE_READ(inode, i_sb, s_dev);
}

/*
 * What is mapped of a file on overlayfs is the file below; /proc/PID/maps shows that before 6.8 (def3ae83da02 "fs:
 * store real path instead of fake path in backing file f_path"), and the one of overlayfs since.
 */
static __always_inline void read_user_key(struct file *file, struct lt_file_key *key)
{
	struct backing_file *backing = (void *)file;

	if (bpf_core_field_exists(backing->user_path) && BPF_CORE_READ(file, f_mode) & FMODE_BACKING)
		read_key(BPF_CORE_READ(backing, user_path.dentry, d_inode), key);
}

static long look_at_vma(struct task_struct *task, struct vm_area_struct *vma, void *data)
{
	struct found_vma *found = data;
	struct file *file = vma->vm_file;

	(void)task;
	found->start = vma->vm_start;
	found->offset = vma->vm_pgoff << PAGE_SHIFT;
	found->executable = vma->vm_flags & VM_EXEC;
	if (file) {
		read_key(BPF_CORE_READ(file, f_inode), &found->file);
		read_user_key(file, &found->user_file);
	}
	return 0;
}

/* The file's row pc for a pc in this mapping of it. */
static __always_inline u64 pc_in_file(const struct lt_file *file, const struct found_vma *vma, u64 pc, bool *known)
{
	u64 offset = pc - vma->start + vma->offset;
	u32 i;

	*known = !file->n_segments;
	for (i = 0; i < LT_FILE_SEGMENTS && i < file->n_segments; i++) {
		if (offset - file->segments[i].offset >= file->segments[i].size)
			continue;
		*known = true;
		return offset - file->segments[i].bias;
	}
	return offset;
}
