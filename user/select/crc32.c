/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "select/crc32.h"

#define POLYNOMIAL 0xedb88320u
/* A debug link may name any file: do not read for minutes. */
#define MAX_BYTES (4ll << 30)

static void fill_table(uint32_t table[256])
{
	uint32_t i, bit, c;

	for (i = 0; i < 256; i++) {
		for (c = i, bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
		table[i] = c;
	}
}

int crc32__file(int fd, uint32_t *crc)
{
	unsigned char buf[65536];
	uint32_t table[256], c = UINT32_MAX;
	off_t at = 0;

	fill_table(table);
	for (;;) {
		ssize_t i, n = pread(fd, buf, sizeof(buf), at);

		if (n < 0)
			return -errno;
		if (!n)
			break;
		for (i = 0; i < n; i++)
			c = table[(c ^ buf[i]) & 0xff] ^ c >> 8;
		at += n;
		if (at > MAX_BYTES)
			return -EFBIG;
	}
	*crc = ~c;
	return 0;
}
