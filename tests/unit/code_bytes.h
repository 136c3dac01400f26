/* SPDX-License-Identifier: GPL-2.0-only */
/* code_bytes: machine code in tests, written as objdump prints it. */
#pragma once

#include <stdlib.h>

#include "probe/place.h"

#define CODE_VADDR 0x401000

/* Space for several, used in turn. */
static inline unsigned char *code_buffer(void)
{
	static unsigned char buffers[16][512];
	static unsigned int next;

	return buffers[next++ % 16];
}

/* The bytes that hex names, two digits each, in any grouping. What is no digit (a space) is passed over. */
static inline size_t bytes_of(const char *hex, unsigned char *bytes, size_t room)
{
	unsigned int digits = 0, value = 0;
	size_t n = 0;

	for (; *hex; hex++) {
		const char text[2] = {*hex, '\0'};
		char *end;
		unsigned long digit = strtoul(text, &end, 16);

		if (end == text)
			continue;
		value = value << 4 | (unsigned int)digit;
		if (++digits % 2)
			continue;
		if (n == room)
			abort();
		bytes[n++] = (unsigned char)value;
	}
	if (digits % 2)
		abort();
	return n;
}

static inline struct code code_of(const char *hex)
{
	unsigned char *bytes = code_buffer();

	return (struct code){.bytes = bytes, .n = bytes_of(hex, bytes, 512), .vaddr = CODE_VADDR};
}
