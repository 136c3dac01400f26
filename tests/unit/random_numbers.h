/* SPDX-License-Identifier: GPL-2.0-only */
/* random_numbers: the same ones in each run, by Marsaglia's xorshift64 ("Xorshift RNGs", 2003). */
#pragma once

#include <stdint.h>

#define RANDOM_SEED 88172645463325252ull /* that of the paper */

static inline uint64_t next_random(uint64_t *last)
{
	*last ^= *last << 13;
	*last ^= *last >> 7;
	*last ^= *last << 17;
	return *last;
}
