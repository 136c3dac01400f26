/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <gelf.h>

#include "select/module.h"
#include "select/segments.h"
#include "select/untrusted_elf.h"

#define PAGE 4096ull

uint64_t segment__start(const struct segment *s)
{
	return s->offset & ~(PAGE - 1);
}

static int add_segments(struct segments *s, Elf *elf)
{
	GElf_Phdr ph;
	size_t i, n;

	if (elf_getphdrnum(elf, &n))
		return -ENOEXEC;
	for (i = 0; i < n; i++) {
		struct segment *seg;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) || !ph.p_filesz)
			continue;
		seg = vec__add(&s->list);
		if (!seg)
			return -ENOMEM;
		seg->offset = ph.p_offset;
		seg->size = ph.p_filesz;
		seg->vaddr = ph.p_vaddr;
	}
	return s->list.n ? 0 : -ENOENT;
}

int segments__read(struct segments *s, const struct module *m)
{
	Elf *elf;
	int err;

	if (m->fd < 0)
		return m->open_error;
	elf = untrusted_elf__begin(m->fd);
	if (!elf)
		return -ENOEXEC;
	err = gelf_getclass(elf) == ELFCLASS64 ? add_segments(s, elf) : -ENOEXEC;
	elf_end(elf);
	return err;
}

void segments__free(struct segments *s)
{
	vec__free(&s->list);
}

int segments__address(const struct segments *s, uint64_t offset, uint64_t *vaddr)
{
	const struct segment *seg;

	vec__each (&s->list, seg) {
		uint64_t start = segment__start(seg);

		if (offset < start || offset - start >= seg->size + (seg->offset - start))
			continue;
		*vaddr = seg->vaddr - (seg->offset - start) + (offset - start);
		return 0;
	}
	return -ENOENT;
}

/* An address just behind a segment counts as its own: a call may be the last instruction, and return there. */
int segments__offset(const struct segments *s, uint64_t vaddr, uint64_t *offset)
{
	const struct segment *seg;

	vec__each (&s->list, seg) {
		uint64_t before = seg->vaddr & (PAGE - 1), start = seg->vaddr - before;

		if (vaddr < start || vaddr - start > seg->size + before)
			continue;
		*offset = seg->offset - before + (vaddr - start);
		return 0;
	}
	return -ENOENT;
}
