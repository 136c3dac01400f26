/* SPDX-License-Identifier: GPL-2.0-only */
// CC: musl-gcc
/* musl_realloc: realloc_forms with the allocator of musl. */
#include "realloc_forms.c"
