/* SPDX-License-Identifier: GPL-2.0-only */
// CC: musl-gcc
/* musl_one_call_site: one_call_site with the allocator of musl. */
#include "one_call_site.c"
