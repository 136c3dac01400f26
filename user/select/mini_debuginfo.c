/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <lzma.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "select/mini_debuginfo.h"
#include "select/untrusted_elf.h"

#define MAX_PACKED   (32u << 20)
#define MAX_UNPACKED (64u << 20)
#define MAX_RATIO    100	    /* symbol tables shrink to a fifth */
#define MAX_MEMORY   (256ull << 20) /* of the decoder, for its window: xz -9 makes one of 64 MiB */
#define CHUNK	     65536

static const Elf_Data *find_packed(Elf *elf)
{
	GElf_Shdr sh;
	Elf_Scn *scn = untrusted_elf__section(elf, ".gnu_debugdata", &sh);

	return scn && sh.sh_type == SHT_PROGBITS && sh.sh_size <= MAX_PACKED ? untrusted_elf__data(scn, &sh) : NULL;
}

static int to_errno(lzma_ret ret)
{
	switch (ret) {
	case LZMA_OK:
	case LZMA_STREAM_END:
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -EFBIG;
	default:
		return -EINVAL;
	}
}

/* Until the stream ends, into fd, at most `limit` bytes. */
static int unpack(lzma_stream *xz, int fd, uint64_t limit)
{
	uint8_t chunk[CHUNK];
	lzma_ret ret;
	size_t n;

	do {
		xz->next_out = chunk;
		xz->avail_out = sizeof(chunk);
		/* All input is there: with no end in it that is LZMA_BUF_ERROR at last, and never waits for more. */
		ret = lzma_code(xz, LZMA_FINISH);
		if (to_errno(ret))
			return to_errno(ret);
		if (xz->total_out > limit)
			return -EFBIG;
		n = sizeof(chunk) - xz->avail_out;
		if (write(fd, chunk, n) != (ssize_t)n)
			return -ENOMEM;
	} while (ret != LZMA_STREAM_END);
	return 0;
}

int mini_debuginfo__open(Elf *elf, uint64_t *memory)
{
	const Elf_Data *packed = find_packed(elf);
	__cleanup_close int fd = -1;
	lzma_stream xz = LZMA_STREAM_INIT;
	uint64_t limit = MAX_UNPACKED;
	int err;

	if (!packed)
		return -ENOENT;
	if (limit > packed->d_size * MAX_RATIO)
		limit = packed->d_size * MAX_RATIO;
	if (limit > *memory)
		limit = *memory;
	fd = memfd_create("mini_debuginfo", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = to_errno(lzma_stream_decoder(&xz, MAX_MEMORY, 0));
	if (err)
		return err;
	xz.next_in = packed->d_buf;
	xz.avail_in = packed->d_size;
	err = unpack(&xz, fd, limit);
	if (!err)
		*memory -= xz.total_out;
	lzma_end(&xz);
	return err ? err : steal_fd(&fd);
}
