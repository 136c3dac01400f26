/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -nostdlib -static
/* no_libc: a program without any allocator. */
void _start(void);

void _start(void)
{
	long result;

	for (;;)
		__asm__ volatile("syscall" : "=a"(result) : "a"(34 /* pause */) : "rcx", "r11", "memory");
}
