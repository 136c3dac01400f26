/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -O2 -fomit-frame-pointer -shared -fPIC -Wl,-z,lazy
/* stacks_lib_b: one of the two libraries of stacks_dlopen. */
#define LIB_FRAME 1000
#include "stacks_lib.h"
