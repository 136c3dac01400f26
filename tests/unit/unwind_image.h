/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unwind_image: a file of which only the unwind information matters: an ELF header, a page of code (nops) at 0x1000 and
 * from 0x2000 on .eh_frame_hdr, which has no table, and .eh_frame. No sections. Used by tests and by the fuzzer.
 */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "select/module.h"
#include "unwind/table.h"

#define IMAGE_CODE	0x1000
#define IMAGE_CODE_SIZE 0x1000
#define IMAGE_HDR	0x2000
#define IMAGE_EH_FRAME	0x2010
#define IMAGE_MAX	(IMAGE_EH_FRAME + (1u << 20))

struct image {
	size_t n;
	uint8_t bytes[IMAGE_MAX];
};

static inline Elf64_Ehdr *image__ehdr(struct image *im)
{
	return (Elf64_Ehdr *)im->bytes;
}

/* Code, data, .eh_frame_hdr. */
static inline Elf64_Phdr *image__phdr(struct image *im, unsigned int i)
{
	return (Elf64_Phdr *)(im->bytes + sizeof(Elf64_Ehdr)) + i;
}

static inline void image__init(struct image *im, const void *eh_frame, size_t n)
{
	/* eh_frame_ptr is pcrel sdata4; neither count nor table. */
	static const uint8_t hdr[] = {1, 0x1b, 0xff, 0xff, IMAGE_EH_FRAME - IMAGE_HDR - 4, 0, 0, 0};
	static const Elf64_Ehdr ehdr = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
					.e_type = ET_DYN,
					.e_machine = EM_X86_64,
					.e_version = EV_CURRENT,
					.e_phoff = sizeof(Elf64_Ehdr),
					.e_ehsize = sizeof(Elf64_Ehdr),
					.e_phentsize = sizeof(Elf64_Phdr),
					.e_phnum = 3};

	memset(im->bytes, 0, IMAGE_EH_FRAME);
	*image__ehdr(im) = ehdr;
	*image__phdr(im, 0) = (Elf64_Phdr){.p_type = PT_LOAD,
					   .p_flags = PF_R | PF_X,
					   .p_offset = IMAGE_CODE,
					   .p_vaddr = IMAGE_CODE,
					   .p_filesz = IMAGE_CODE_SIZE,
					   .p_memsz = IMAGE_CODE_SIZE};
	*image__phdr(im, 1) = (Elf64_Phdr){.p_type = PT_LOAD,
					   .p_flags = PF_R,
					   .p_offset = IMAGE_HDR,
					   .p_vaddr = IMAGE_HDR,
					   .p_filesz = IMAGE_EH_FRAME - IMAGE_HDR + n,
					   .p_memsz = IMAGE_EH_FRAME - IMAGE_HDR + n};
	*image__phdr(im, 2) = (Elf64_Phdr){.p_type = PT_GNU_EH_FRAME,
					   .p_flags = PF_R,
					   .p_offset = IMAGE_HDR,
					   .p_vaddr = IMAGE_HDR,
					   .p_filesz = sizeof(hdr),
					   .p_memsz = sizeof(hdr)};
	memset(im->bytes + IMAGE_CODE, 0x90, IMAGE_CODE_SIZE);
	memcpy(im->bytes + IMAGE_HDR, hdr, sizeof(hdr));
	if (n)
		memcpy(im->bytes + IMAGE_EH_FRAME, eh_frame, n);
	im->n = IMAGE_EH_FRAME + n;
}

/* The table of a file that has these bytes. */
static inline int build_from_bytes(struct unwind_table *t, const void *bytes, size_t n, bool every_row)
{
	struct module m = {.path = (char *)"/lib/image.so", .root_fd = -1};
	const struct unwind_table_options o = {.every_row = every_row};
	int err;

	m.fd = memfd_create("image", MFD_CLOEXEC);
	if (m.fd < 0 || write(m.fd, bytes, n) != (ssize_t)n)
		__builtin_trap();
	err = unwind_table__build(t, &m, &o);
	close(m.fd);
	return err;
}

static inline int image__build(struct unwind_table *t, const struct image *im, bool every_row)
{
	return build_from_bytes(t, im->bytes, im->n, every_row);
}
