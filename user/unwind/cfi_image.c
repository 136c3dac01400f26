/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/read_at.h"
#include "unwind/cfi_image.h"
#include "unwind/arch.h"

#define MAX_SECTION (64u << 20)
/* Without a search table libdw reads all entries up to the one that it looks for, and keeps them. */
#define MAX_UNSORTED (16u << 20)
/* libdw 0.188 looks at a byte or two behind an entry's end. */
#define SLACK 64

enum { NULL_SECTION, NAMES, HDR, FRAME, N_SECTIONS };

static const char names[] = "\0.shstrtab\0.eh_frame_hdr\0.eh_frame\0.debug_frame";
enum { NAME_NAMES = 1, NAME_HDR = 11, NAME_EH = 25, NAME_DEBUG = 35 };

struct layout {
	Elf64_Ehdr ehdr;
	Elf64_Shdr sections[N_SECTIONS];
	char names[sizeof(names)];
};

static void describe(Elf64_Shdr *sh, uint32_t name, uint32_t type, const struct cfi_part *part, size_t offset)
{
	*sh = (Elf64_Shdr){.sh_name = name,
			   .sh_type = type,
			   .sh_addr = part->address,
			   .sh_offset = offset,
			   .sh_size = part->size,
			   .sh_addralign = 1};
}

/* Headers for a section at frame_at, and a search table in front of it if hdr has a size. */
static void write_headers(struct layout *l, const struct cfi_source *from, const struct cfi_part *hdr,
			  const struct cfi_part *frame, size_t frame_at)
{
	const struct cfi_part own = {.size = sizeof(names)};

	*l = (struct layout){.ehdr = {.e_type = ET_DYN,
				      .e_machine = ARCH_MACHINE,
				      .e_version = EV_CURRENT,
				      .e_shoff = offsetof(struct layout, sections),
				      .e_ehsize = sizeof(Elf64_Ehdr),
				      .e_shentsize = sizeof(Elf64_Shdr),
				      .e_shnum = N_SECTIONS,
				      .e_shstrndx = NAMES}};
	memcpy(l->ehdr.e_ident, ELFMAG, SELFMAG);
	l->ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	l->ehdr.e_ident[EI_DATA] = ELFDATA2LSB;
	l->ehdr.e_ident[EI_VERSION] = EV_CURRENT;
	memcpy(l->names, names, sizeof(names));
	describe(&l->sections[NAMES], NAME_NAMES, SHT_STRTAB, &own, offsetof(struct layout, names));
	if (hdr->size)
		describe(&l->sections[HDR], NAME_HDR, SHT_PROGBITS, hdr, sizeof(*l));
	describe(&l->sections[FRAME], from->kind == CFI_EH_FRAME ? NAME_EH : NAME_DEBUG, SHT_PROGBITS, frame, frame_at);
}

static int read_part(int fd, const struct cfi_part *part, char *to)
{
	return read_at(fd, part->offset, to, part->size) == part->size ? 0 : -EIO;
}

static int read_bytes(struct cfi_image *image, const struct cfi_source *from, size_t frame_at)
{
	int err = read_part(from->fd, &from->search_table, image->bytes + sizeof(struct layout));

	if (err || !from->bytes)
		return err ? err : read_part(from->fd, &from->section, image->bytes + frame_at);
	memcpy(image->bytes + frame_at, from->bytes, from->section.size);
	return 0;
}

/* Check what was read, and cut what does not belong to it. */
static int check_bytes(const char *bytes, const struct cfi_source *from, struct cfi_part *hdr, struct cfi_part *frame,
		       size_t frame_at)
{
	struct cfi_entries *entries;
	size_t size = frame->size;
	int err;

	entries = cfi_check((const uint8_t *)bytes + frame_at, &size, from->kind, from->to_terminator, &err);
	if (!entries)
		return err;
	frame->size = size;
	if (!cfi_check__search_table(entries, (const uint8_t *)bytes + sizeof(struct layout), hdr->size, hdr->address,
				     frame->address))
		hdr->size = 0;
	cfi_entries__free(entries);
	if (!frame->size)
		return -ENODATA;
	return !hdr->size && frame->size > MAX_UNSORTED ? -EFBIG : 0;
}

static int open_cfi(struct cfi_image *image, enum cfi_section kind, size_t size)
{
	image->elf = elf_memory(image->bytes, size);
	if (!image->elf)
		return -ENOMEM;
	if (kind == CFI_EH_FRAME) {
		image->cfi = dwarf_getcfi_elf(image->elf);
	} else {
		image->dwarf = dwarf_begin_elf(image->elf, DWARF_C_READ, NULL);
		image->cfi = image->dwarf ? dwarf_getcfi(image->dwarf) : NULL;
	}
	return image->cfi ? 0 : -ENOMEM;
}

int cfi_image__open(struct cfi_image *image, const struct cfi_source *from)
{
	struct cfi_part hdr = from->search_table, frame = from->section;
	size_t frame_at, size;
	int err;

	*image = (struct cfi_image){};
	if (!frame.size)
		return -ENODATA;
	if (frame.size > MAX_SECTION || hdr.size > MAX_SECTION)
		return -EFBIG;
	elf_version(EV_CURRENT);
	frame_at = sizeof(struct layout) + hdr.size;
	size = frame_at + frame.size + SLACK;
	image->bytes = calloc(1, size);
	if (!image->bytes)
		return -ENOMEM;
	err = read_bytes(image, from, frame_at);
	if (!err)
		err = check_bytes(image->bytes, from, &hdr, &frame, frame_at);
	if (!err) {
		write_headers((struct layout *)image->bytes, from, &hdr, &frame, frame_at);
		err = open_cfi(image, from->kind, size);
	}
	if (err)
		cfi_image__close(image);
	return err;
}

void cfi_image__close(struct cfi_image *image)
{
	if (image->dwarf)
		dwarf_end(image->dwarf);
	else if (image->cfi)
		dwarf_cfi_end(image->cfi);
	if (image->elf)
		elf_end(image->elf);
	free(image->bytes);
	*image = (struct cfi_image){};
}
