/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * jit_code: code made at run time allocates, and a perf map names it: one function from before the start, one that
 * comes later on a new page, one where another was before, and one that the map does not have.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "victim.h"

#define CODE_BYTES 4096
#define SPACING	   64

typedef void *(*allocate_fn)(size_t size);

static unsigned char *new_page(void)
{
	unsigned char *page =
		mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		abort();
	return page;
}

/* A function that calls malloc with what it is called with. */
static allocate_fn make(unsigned char *at)
{
	static const unsigned char head[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8}; /* push rbp; mov rbp, rsp; mov rax, */
	static const unsigned char tail[] = {0xff, 0xd0, 0x5d, 0xc3};		  /* call rax; pop rbp; ret */
	void *(*target)(size_t) = malloc;

	memcpy(at, head, sizeof(head));
	memcpy(at + sizeof(head), &target, sizeof(target));
	memcpy(at + sizeof(head) + sizeof(target), tail, sizeof(tail));
	return (allocate_fn)(void *)at;
}

static void list(const unsigned char *at, const char *name)
{
	char path[64], line[128];
	int fd, n;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0644);
	n = snprintf(line, sizeof(line), "%lx %x %s\n", (unsigned long)at, SPACING, name);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

static void use(allocate_fn allocate, const char *name, int times, size_t size)
{
	while (times--)
		book__born(name, allocate(size), size);
}

int main(int argc, char **argv)
{
	unsigned char *page = new_page(), *late;

	list(page, "jit_early");
	list(page + SPACING, "jit_gone");
	make(page);
	victim__ready(argc, argv);
	use((allocate_fn)(void *)page, "jit_early", 10, 100);
	late = new_page();
	make(late);
	list(late, "py::late:/srv/app.py");
	use((allocate_fn)(void *)late, "py::late:/srv/app.py", 20, 200);
	list(page + SPACING, "jit_instead");
	use(make(page + SPACING), "jit_instead", 30, 300);
	use(make(page + 2 * SPACING), "main", 5, 50);
	return victim__truth();
}
