/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * demangle: the C++ or Rust name (old and v0 mangling, without its hash) that a linker symbol stands for.
 */
#pragma once

#include <stddef.h>

/* dst[size] gets the readable name, cut with "..." if too long, or mangled itself if it is none of ours. Returns dst.
 */
char *demangle(char *dst, size_t size, const char *mangled);
