/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -O2 -fomit-frame-pointer
/*
 * stacks_jit [PAGES]: code that no file holds. It keeps frame pointers, as compilers at run time do, and asks for
 * memory at once after it was written, each time on a page that had no code before.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096

typedef void *(*code)(size_t n);

/* push %rbp; mov %rsp,%rbp; movabs $callee,%rax; call *%rax; pop %rbp; ret */
static code compile(unsigned char *at, code callee)
{
	static const unsigned char before[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8}, after[] = {0xff, 0xd0, 0x5d, 0xc3};

	memcpy(at, before, sizeof(before));
	memcpy(at + sizeof(before), &callee, sizeof(callee));
	memcpy(at + sizeof(before) + sizeof(callee), after, sizeof(after));
	return (code)(uintptr_t)at;
}

static void *page(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static __attribute__((noinline)) void use(code function)
{
	char *volatile p = function(100);

	free(p);
}

int main(int argc, char **argv)
{
	int pages = argc > 1 ? atoi(argv[1]) : 30;
	code inner = malloc;

	for (int i = 0; i < pages; i++) {
		unsigned char *at = page();

		/* Each second one calls the one before. */
		inner = compile(at, i % 2 ? inner : malloc);
		use(inner);
		/* The same code again, a little further on the page. */
		use(compile(at + 512, inner));
	}
	return 0;
}
