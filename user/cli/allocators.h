/* SPDX-License-Identifier: GPL-2.0-only */
/* allocators: options that say which allocators there are and where. Their parser's input is the struct options. */
#pragma once

#include <argp.h>

extern const struct argp allocators__argp;
