/* SPDX-License-Identifier: GPL-2.0-only */
/* hidden: options for tests and measurements, which no help shows. Their parser's input is the struct options. */
#pragma once

#include <argp.h>

extern const struct argp hidden__argp;
