/* SPDX-License-Identifier: GPL-2.0-only */
/* crc32: the checksum that .gnu_debuglink holds of the file it names (the one of zlib and Ethernet). */
#pragma once

#include <stdint.h>

/* Of the whole file; its offset is not changed. 0 or a negative errno. */
int crc32__file(int fd, uint32_t *crc);
