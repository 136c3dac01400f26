/* SPDX-License-Identifier: GPL-2.0-only */
// CC: musl-gcc
/* musl_failures: failures with the allocator of musl. */
#include "failures.c"
