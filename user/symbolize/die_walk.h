/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * die_walk: walks over the tree of DWARF entries (DIEs) of one compilation unit, with limits for hostile ones.
 *
 * dwarf_getscopes() does much of this, but recurses as deep as the file says and walks the whole unit for each address.
 */
#pragma once

#include <elfutils/libdw.h>
#include <stdint.h>

#include "base/work_limit.h"
#include "symbolize/spans.h"

#define MAX_INLINED 64

/* Add the address ranges of all functions in the unit; ref is the offset of the function's DIE. */
void die_walk__functions(Dwarf_Die *unit, struct spans *out, struct work_limit *limit);

/* The inlined calls around pc within a function, outermost first. Returns how many. */
unsigned int die_walk__inlined(Dwarf_Die *function, Dwarf_Addr pc, Dwarf_Die out[MAX_INLINED],
			       struct work_limit *limit);
