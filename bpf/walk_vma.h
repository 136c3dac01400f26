/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walk_vma: what lies at a pc, asked of the kernel and not of the copy of the mappings that user space has made. It
 * costs some 300 ns a frame, so it is for what the copy does not know, or may have wrong.
 */
#pragma once

#include "maps.h"

#define VM_EXEC	   0x4
#define PAGE_SHIFT 12

struct found_vma {
	u64 start, offset; /* offset of start in the file */
	u64 executable;
	struct lt_file_key file; /* inode 0: no file */
};

static long look_at_vma(struct task_struct *task, struct vm_area_struct *vma, void *data)
{
	struct found_vma *found = data;
	struct file *file = vma->vm_file;

	(void)task;
	found->start = vma->vm_start;
	found->offset = vma->vm_pgoff << PAGE_SHIFT;
	found->executable = vma->vm_flags & VM_EXEC;
	if (file) {
		found->file.inode = BPF_CORE_READ(file, f_inode, i_ino);
		found->file.device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
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
