/* SPDX-License-Identifier: GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "select/vdso.h"

static int read_memory(struct vdso *v, pid_t pid, uint64_t start)
{
	struct iovec to = {.iov_base = v->bytes, .iov_len = v->size};
	struct iovec from = {.iov_base = (void *)(uintptr_t)start, .iov_len = v->size};
	ssize_t n = process_vm_readv(pid, &to, 1, &from, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == v->size ? 0 : -EFAULT;
}

/* The size of ours: an image ends with its section headers, and is mapped in whole pages. */
static size_t size_of(const Elf64_Ehdr *own)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t end = own->e_shoff + (size_t)own->e_shnum * own->e_shentsize;

	return (end + page - 1) / page * page;
}

int vdso__read(struct vdso *v, pid_t pid, uint64_t start, uint64_t end)
{
	const Elf64_Ehdr *own = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	int err;

	if (end <= start || end - start > VDSO_MAX)
		return -EFBIG;
	v->size = end - start;
	err = read_memory(v, pid, start);
	if (!err || !own || size_of(own) != v->size)
		return err;
	memcpy(v->bytes, own, v->size);
	return 0;
}

int vdso__create_file(const struct vdso *v)
{
	__cleanup_close int fd = memfd_create("vdso", MFD_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pwrite(fd, v->bytes, v->size, 0);
	if (n < 0)
		return -errno;
	return (size_t)n == v->size ? steal_fd(&fd) : -EIO;
}

bool vdso__is_in_file(const struct vdso *v, int fd)
{
	__cleanup_free unsigned char *bytes = malloc(v->size);
	struct stat st;

	return bytes && !fstat(fd, &st) && (size_t)st.st_size == v->size &&
	       pread(fd, bytes, v->size, 0) == (ssize_t)v->size && !memcmp(bytes, v->bytes, v->size);
}
