/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -static -DSTATIC_LIBC
/* static_glibc [THREADS]: the family inside the program file itself, with symbols. */
#include "libc_family.c"
