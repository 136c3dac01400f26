/* SPDX-License-Identifier: GPL-2.0-only */
#include "host_vma.h"

#define VM_READ_EXEC  0x5
#define VM_READ_WRITE 0x3

static struct vm_area_struct vmas[HOST_VMAS];
static u64 ends[HOST_VMAS]; /* not in our vmlinux.h, which has what bpf/ reads */
static struct file of_vma[HOST_VMAS];
static struct inode inodes[HOST_FILES];
static struct super_block supers[HOST_FILES];
static unsigned int n_vmas, asked;

struct lt_file_key host__file_key(unsigned int file)
{
	/* Two file systems, and one inode number in both. */
	return (struct lt_file_key){.inode = 100 + file / 2, .device = 8ull << 20 | (1 + file % 2)};
}

static struct inode *inode_of(unsigned int file)
{
	struct lt_file_key key = host__file_key(file);

	supers[file].s_dev = (u32)key.device;
	inodes[file].i_ino = key.inode;
	inodes[file].i_sb = &supers[file];
	return &inodes[file];
}

void host__map(u64 start, u64 end, unsigned int file, u64 offset, bool executable)
{
	struct vm_area_struct *vma = &vmas[n_vmas];

	assert_true(n_vmas < HOST_VMAS);
	memset(vma, 0, sizeof(*vma));
	vma->vm_start = start;
	ends[n_vmas] = end;
	vma->vm_pgoff = offset / 4096;
	vma->vm_flags = executable ? VM_READ_EXEC : VM_READ_WRITE;
	if (file != HOST_NO_FILE) {
		of_vma[n_vmas].f_inode = inode_of(file);
		vma->vm_file = &of_vma[n_vmas];
	}
	n_vmas++;
}

void host__forget_vmas(void)
{
	n_vmas = asked = 0;
}

unsigned int host__times_asked(void)
{
	return asked;
}

long bpf_find_vma(struct task_struct *task, u64 address, void *callback, void *ctx, u64 flags)
{
	long (*look)(struct task_struct *, struct vm_area_struct *, void *) = callback;
	unsigned int i;

	assert_ptr_equal(task, &host.current->task);
	assert_int_equal(flags, 0);
	asked++;
	for (i = 0; i < n_vmas; i++) {
		if (address >= vmas[i].vm_start && address < ends[i]) {
			look(task, &vmas[i], ctx);
			return 0;
		}
	}
	return -HOST_ENOENT;
}
