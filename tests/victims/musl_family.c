/* SPDX-License-Identifier: GPL-2.0-only */
// CC: musl-gcc
/* musl_family: libc_family with the allocator of musl. */
#include "libc_family.c"
