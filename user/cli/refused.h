/* SPDX-License-Identifier: GPL-2.0-only */
/* refused: options that come with later versions, and those of memleak that mean something else here. */
#pragma once

#include <argp.h>

/* A child of the command line's parser: each of these options is wrong usage, and the line says what to do instead. */
extern const struct argp refused__argp;
