/* SPDX-License-Identifier: GPL-2.0-only */
/* cfi_program: what the instructions of unwind information may ask for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "unwind/reader.h"

/*
 * A number, whose sign does not matter here: the length is the same, the value that of an unsigned one. One longer than
 * 10 bytes ends the reader, which has failed then.
 */
uint64_t cfi_program__leb128(struct reader *r);

/*
 * Whether executing these instructions takes bounded time and memory: their number, register numbers, the depth of
 * remembered states and the length of expressions. From an instruction that nobody knows on nothing is looked at, as it
 * is never executed.
 */
bool cfi_program__check(struct reader program, uint8_t pointer_size);
