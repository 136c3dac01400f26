/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -m32 -nostdlib -static
/* bits32: a 32-bit process; without libraries, so that no 32-bit ones are needed to build it. */
void _start(void);

void _start(void)
{
	long result;

	for (;;)
		__asm__ volatile("int $0x80" : "=a"(result) : "a"(29 /* pause */) : "memory");
}
