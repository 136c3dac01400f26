/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -nostdlib -static -Wl,--build-id=none
/* go_program: what tells a Go program from others, without a Go tool chain: its build info and its build id note. */
#define IN_SECTION(name, align) __attribute__((section(name), used, aligned(align)))

static char build_info[32] IN_SECTION(".go.buildinfo", 16) = "\xff Go buildinf:\x08\x02";

static const struct {
	unsigned int name_size, desc_size, type;
	char name[4], desc[8];
} build_id IN_SECTION(".note.go.buildid", 4) = {4, 8, 4, "Go\0", "abc/def"};

void _start(void);

void _start(void)
{
	long result;

	for (;;)
		__asm__ volatile("syscall" : "=a"(result) : "a"(34 /* pause */) : "rcx", "r11", "memory");
}
