/* SPDX-License-Identifier: GPL-2.0-only */
// CC: musl-gcc
/* musl_odd: odd_sizes with the allocator of musl. */
#include "odd_sizes.c"
