/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/elf_image_private.h"
#include "select/module.h"

#define MAX_CODE (128u << 20) /* searched for branches; glibc has 2 MiB */

struct elf_image *elf_image__open(const struct module *m, int *err)
{
	struct elf_image *img;
	GElf_Ehdr eh;

	if (m->fd < 0) {
		*err = m->open_error;
		return NULL;
	}
	img = calloc(1, sizeof(*img));
	if (!img) {
		*err = -ENOMEM;
		return NULL;
	}
	img->module = m;
	img->fd = m->fd;
	img->elf = untrusted_elf__begin(m->fd);
	if (!img->elf || gelf_getclass(img->elf) != ELFCLASS64 || !gelf_getehdr(img->elf, &eh) ||
	    eh.e_machine != EM_X86_64 || elf_getphdrnum(img->elf, &img->n_phdrs)) {
		*err = -ENOEXEC;
		elf_image__close(img);
		return NULL;
	}
	return img;
}

void elf_image__close(struct elf_image *img)
{
	if (!img)
		return;
	elf_names__close(img);
	vec__free(&img->fdes);
	elf_end(img->elf);
	free(img);
}

static bool segment(struct elf_image *img, size_t i, GElf_Phdr *ph)
{
	return gelf_getphdr(img->elf, (int)i, ph);
}

bool elf_image__is_dynamic(struct elf_image *img)
{
	GElf_Phdr ph;
	size_t i;

	for (i = 0; i < img->n_phdrs; i++) {
		if (segment(img, i, &ph) && (ph.p_type == PT_INTERP || ph.p_type == PT_DYNAMIC))
			return true;
	}
	return false;
}

bool elf_image__code_segment(struct elf_image *img, uint64_t vaddr, GElf_Phdr *ph)
{
	size_t i;

	for (i = 0; i < img->n_phdrs; i++) {
		if (segment(img, i, ph) && ph->p_type == PT_LOAD && ph->p_flags & PF_X && vaddr >= ph->p_vaddr &&
		    vaddr - ph->p_vaddr < ph->p_filesz)
			return true;
	}
	return false;
}

bool elf_image__next_code(struct elf_image *img, size_t *i, uint64_t *start, uint64_t *end)
{
	GElf_Phdr ph;

	for (; *i < img->n_phdrs; (*i)++) {
		if (!segment(img, *i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
			continue;
		*start = ph.p_vaddr;
		*end = ph.p_vaddr + ph.p_filesz;
		(*i)++;
		return true;
	}
	return false;
}

int elf_image__file_offset(struct elf_image *img, uint64_t vaddr, uint64_t *offset)
{
	GElf_Phdr ph;

	if (!elf_image__code_segment(img, vaddr, &ph))
		return -ENOENT;
	*offset = vaddr - ph.p_vaddr + ph.p_offset;
	return 0;
}

size_t elf_image__read_code(struct elf_image *img, uint64_t vaddr, void *buf, size_t n)
{
	GElf_Phdr ph;
	ssize_t got;

	if (!elf_image__code_segment(img, vaddr, &ph))
		return 0;
	if (n > ph.p_filesz - (vaddr - ph.p_vaddr))
		n = ph.p_filesz - (vaddr - ph.p_vaddr);
	got = pread(img->fd, buf, n, (off_t)(vaddr - ph.p_vaddr + ph.p_offset));
	return got > 0 ? (size_t)got : 0;
}

/* A branch at p, of which ELF_BRANCH_MAX bytes are there. */
static bool branch_at(struct elf_branch *b, const unsigned char *p, uint64_t vaddr)
{
	unsigned int length;
	int32_t rel;

	/* jmp and jcc, loop and jrcxz by 8 bits; call and jmp, jcc by 32. */
	if (*p == 0xeb || (*p & 0xf0) == 0x70 || (*p & 0xfc) == 0xe0)
		length = 2;
	else if (*p == 0xe8 || *p == 0xe9)
		length = 5;
	else if (*p == 0x0f && (p[1] & 0xf0) == 0x80)
		length = 6;
	else
		return false;
	b->is_short = length == 2;
	if (b->is_short)
		rel = (int8_t)p[1];
	else
		memcpy(&rel, p + length - sizeof(rel), sizeof(rel));
	b->vaddr = vaddr;
	b->next = vaddr + length;
	b->target = b->next + (uint64_t)(int64_t)rel;
	b->is_call = *p == 0xe8;
	return true;
}

static void scan(const unsigned char *bytes, size_t n, uint64_t vaddr,
		 void (*fn)(const struct elf_branch *b, void *ctx), void *ctx)
{
	struct elf_branch b;
	size_t i;

	for (i = 0; i < n; i++) {
		if (branch_at(&b, bytes + i, vaddr + i))
			fn(&b, ctx);
	}
}

int elf_image__each_branch(struct elf_image *img, void (*fn)(const struct elf_branch *b, void *ctx), void *ctx)
{
	uint64_t at, left = MAX_CODE;
	GElf_Phdr ph;
	ssize_t got;
	size_t i;

	for (i = 0; i < img->n_phdrs; i++) {
		if (!segment(img, i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
			continue;
		if (ph.p_filesz > left)
			return -E2BIG;
		left -= ph.p_filesz;
		for (at = 0; at < ph.p_filesz; at += ELF_CHUNK) {
			memset(img->chunk, 0, sizeof(img->chunk));
			got = pread(img->fd, img->chunk, sizeof(img->chunk), (off_t)(ph.p_offset + at));
			if (got <= 0)
				break;
			scan(img->chunk, ELF_CHUNK, ph.p_vaddr + at, fn, ctx);
		}
	}
	return 0;
}
