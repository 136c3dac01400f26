/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -static -s -DSTATIC_LIBC
/* static_stripped: an allocator that nothing names. */
#include "libc_family.c"
