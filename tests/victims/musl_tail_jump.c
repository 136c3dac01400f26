/* SPDX-License-Identifier: GPL-2.0-only */
// CC: musl-gcc
/* musl_tail_jump: realloc_null_tail_jump with the allocator of musl. */
#include "realloc_null_tail_jump.c"
