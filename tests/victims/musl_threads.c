/* SPDX-License-Identifier: GPL-2.0-only */
// CC: musl-gcc
/* musl_threads: threads8 with the allocator of musl. */
#include "threads8.c"
