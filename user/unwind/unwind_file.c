/* SPDX-License-Identifier: GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/read_at.h"
#include "select/module.h"
#include "unwind/arch.h"
#include "unwind/unwind_file.h"

static void add_segment(struct unwind_file *f, const Elf64_Phdr *ph)
{
	struct unwind_segment *s = &f->segments[f->n];
	uint64_t size = ph->p_filesz;

	if (ph->p_offset >= f->size)
		return;
	if (size > f->size - ph->p_offset)
		size = f->size - ph->p_offset;
	if (!size || size > UINT64_MAX - ph->p_vaddr)
		return;
	*s = (struct unwind_segment){.start = ph->p_vaddr,
				     .end = ph->p_vaddr + size,
				     .offset = ph->p_offset,
				     .executable = ph->p_flags & PF_X};
	f->n++;
}

static int by_address(const void *a, const void *b)
{
	const struct unwind_segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Of two that overlap, which a loader would not take, the one that starts first stays. */
static void sort_segments(struct unwind_file *f)
{
	unsigned int i, n = 0;

	qsort(f->segments, f->n, sizeof(f->segments[0]), by_address);
	for (i = 0; i < f->n; i++) {
		if (!n || f->segments[i].start >= f->segments[n - 1].end)
			f->segments[n++] = f->segments[i];
	}
	f->n = n;
}

static bool is_ours(const Elf64_Ehdr *eh)
{
	return !memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_ident[EI_CLASS] == ELFCLASS64 &&
	       eh->e_ident[EI_DATA] == ELFDATA2LSB && eh->e_machine == ARCH_MACHINE &&
	       (eh->e_type == ET_EXEC || eh->e_type == ET_DYN) && eh->e_phentsize == sizeof(Elf64_Phdr) &&
	       eh->e_phnum <= UNWIND_MAX_SEGMENTS;
}

/*
 * Does a process begin in this file, if it names no interpreter? A program at a fixed address, and the loader, which
 * goes by its name. The linker gives libraries an entry, too, which means nothing.
 */
static bool is_first(const Elf64_Ehdr *eh, const struct module *m)
{
	return eh->e_type == ET_EXEC || (m->path && !strncmp(module__name(m), "ld-", 3));
}

/* The program headers may lie anywhere: BOLT moves them to the end. */
static int read_segments(struct unwind_file *f, const struct module *m)
{
	Elf64_Phdr phdrs[UNWIND_MAX_SEGMENTS];
	Elf64_Ehdr eh;
	size_t n, i;

	if (read_at(f->fd, 0, &eh, sizeof(eh)) != sizeof(eh) || !is_ours(&eh))
		return -ENOEXEC;
	if (is_first(&eh, m))
		f->entry = eh.e_entry;
	n = read_at(f->fd, eh.e_phoff, phdrs, eh.e_phnum * sizeof(phdrs[0])) / sizeof(phdrs[0]);
	for (i = 0; i < n; i++) {
		if (phdrs[i].p_type == PT_INTERP)
			f->entry = eh.e_entry;
		if (phdrs[i].p_type == PT_LOAD) {
			add_segment(f, &phdrs[i]);
		} else if (phdrs[i].p_type == PT_GNU_EH_FRAME) {
			f->eh_frame_hdr = phdrs[i].p_vaddr;
			f->eh_frame_hdr_size = phdrs[i].p_memsz;
		}
	}
	sort_segments(f);
	return 0;
}

int unwind_file__open(struct unwind_file *f, const struct module *m)
{
	struct stat st;

	f->n = 0;
	f->eh_frame_hdr = f->eh_frame_hdr_size = f->entry = 0;
	if (m->fd < 0)
		return m->open_error;
	f->fd = m->fd;
	if (fstat(m->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	f->size = (uint64_t)st.st_size;
	return read_segments(f, m);
}

const struct unwind_segment *unwind_file__segment(const struct unwind_file *f, uint64_t address)
{
	unsigned int i;

	for (i = 0; i < f->n; i++) {
		if (address >= f->segments[i].start && address < f->segments[i].end)
			return &f->segments[i];
	}
	return NULL;
}

size_t unwind_file__read(const struct unwind_file *f, uint64_t address, void *buf, size_t n)
{
	const struct unwind_segment *s = unwind_file__segment(f, address);

	if (!s)
		return 0;
	if (n > s->end - address)
		n = s->end - address;
	return read_at(f->fd, s->offset + (address - s->start), buf, n);
}
