/* SPDX-License-Identifier: GPL-2.0-only */
/* jump_table: jumps in a function of which nobody knows where they lead. */
#pragma once

#include <stdbool.h>

struct code;

/*
 * May a jump by register or table lead to any place of the function? What was read from no table is a pointer to a
 * function, as a hook is, and goes to its entry. All of the code can be decoded.
 */
bool jump_table__may_be_in(const struct code *code);
