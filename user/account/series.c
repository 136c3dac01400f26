/* SPDX-License-Identifier: GPL-2.0-only */
#include <math.h>
#include <string.h>

#include "account/series.h"

void floor_series__add(struct floor_series *s, uint64_t floor)
{
	if (s->n) {
		uint64_t last = s->floors[s->n - 1];

		s->rises += floor > last;
		s->falls += floor < last;
	}
	if (s->n == SNAPSHOT_FLOORS)
		memmove(s->floors, s->floors + 1, (--s->n) * sizeof(s->floors[0]));
	s->floors[s->n++] = floor;
	s->windows++;
}

double floor_series__slope(const struct floor_series *s, const double *ends, unsigned int n_ends)
{
	unsigned int skip = s->n == s->windows ? 1 : 0, n, i;
	double mean_x = 0, mean_y = 0, xx = 0, xy = 0;

	if (s->n < skip + 3 || n_ends < s->n)
		return NAN;
	n = s->n - skip;
	ends += n_ends - n;
	for (i = 0; i < n; i++) {
		mean_x += ends[i] / n;
		mean_y += (double)s->floors[skip + i] / n;
	}
	for (i = 0; i < n; i++) {
		xx += (ends[i] - mean_x) * (ends[i] - mean_x);
		xy += (ends[i] - mean_x) * ((double)s->floors[skip + i] - mean_y);
	}
	return xx > 0 ? xy / xx : NAN;
}
