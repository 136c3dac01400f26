/* SPDX-License-Identifier: GPL-2.0-only */
/* floor_series: the floors of one site or process, window by window. Pure. */
#pragma once

#include <stdint.h>

#include "account/snapshot.h"

struct floor_series {
	unsigned int windows, rises, falls;
	unsigned int n; /* floors kept, newest last */
	uint64_t floors[SNAPSHOT_FLOORS];
};

void floor_series__add(struct floor_series *s, uint64_t floor);

/*
 * Growth in bytes per second: the least-squares slope of the kept floors over the ends of their windows. ends[] are the
 * ends in seconds of the last n_ends windows, newest last. The first floor of a site is that of its birth, not of its
 * life, and is left out. NAN with fewer than three floors.
 */
double floor_series__slope(const struct floor_series *s, const double *ends, unsigned int n_ends);
