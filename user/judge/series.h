/* SPDX-License-Identifier: GPL-2.0-only */
/* series: what the row of floors of a site says by itself. Shared by the verdict and by those who show the row. */
#pragma once

#include "account/snapshot.h"
#include "judge/verdict.h"

/* So many floors are needed to have VERDICT_MIN_RISES steps between them. */
#define SERIES_MIN_WINDOWS (VERDICT_MIN_RISES + 1)

/* Steps from one floor to the next: the first window of a site has none before it. */
static inline unsigned int series__steps(const struct site *s)
{
	return s->windows ? s->windows - 1 : 0;
}

static inline bool series__is_too_short(const struct site *s)
{
	return s->windows < SERIES_MIN_WINDOWS;
}
