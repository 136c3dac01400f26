/* SPDX-License-Identifier: GPL-2.0-only */
/* cfi_program: bounded reading of unwind information, and what its instructions may ask for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes still to be read. What lies beyond the end reads as 0 and sets `bad`. */
struct cfi_bytes {
	const uint8_t *at, *end;
	bool bad;
};

uint8_t cfi_bytes__u8(struct cfi_bytes *b);
uint32_t cfi_bytes__u32(struct cfi_bytes *b);
uint64_t cfi_bytes__u64(struct cfi_bytes *b);
/* Signed or not, the length is the same; the value is that of the unsigned one. Longer than 10 bytes is bad. */
uint64_t cfi_bytes__leb128(struct cfi_bytes *b);
void cfi_bytes__skip(struct cfi_bytes *b, uint64_t n);
/* The next n, taken out of b. */
struct cfi_bytes cfi_bytes__part(struct cfi_bytes *b, uint64_t n);
/* At most `max` characters, or NULL. */
const char *cfi_bytes__string(struct cfi_bytes *b, size_t max);

/*
 * Whether executing these instructions takes bounded time and memory: their number, register numbers, the depth of
 * remembered states and the length of expressions. From an instruction that nobody knows on nothing is looked at, as it
 * is never executed.
 */
bool cfi_program__check(struct cfi_bytes program, uint8_t pointer_size);
