/* SPDX-License-Identifier: GPL-2.0-only */
/* argument: what a hooked function was called with. */
#pragma once

#include "maps.h"
#include "walk_x86.h"

/*
 * 0 for LT_NO_REG. All are loaded and then one is chosen: clang would else compute its offset, and the verifier takes
 * no variable ones.
 */
static __always_inline u64 argument(struct pt_regs *ctx, u8 reg)
{
	u64 regs[] = REGISTERS_BY_NUMBER(ctx);
	u64 value = 0;
	u32 i;

#pragma unroll
	for (i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		barrier_var(regs[i]);
		if (reg == i)
			value = regs[i];
	}
	return value;
}
