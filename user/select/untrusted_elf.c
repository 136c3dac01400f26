/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "select/untrusted_elf.h"

#define MAX_SEGMENTS 256
#define MAX_SECTION  (256u << 20)

/*
 * The counts in the header, seen before libelf sees them: it makes tables as large as they say. A section count of zero
 * with a section table means that the first section has it, in 64 bits; no linker needs that for a file of use to us.
 */
static bool counts_are_sane(int fd)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr e32;
		Elf64_Ehdr e64;
	} eh;

	memset(&eh, 0, sizeof(eh));
	if (pread(fd, &eh, sizeof(eh), 0) < (ssize_t)sizeof(eh.e32) || memcmp(eh.ident, ELFMAG, SELFMAG) ||
	    eh.ident[EI_DATA] != ELFDATA2LSB)
		return false;
	if (eh.ident[EI_CLASS] == ELFCLASS32)
		return eh.e32.e_phnum <= MAX_SEGMENTS && (eh.e32.e_shnum || !eh.e32.e_shoff);
	return eh.e64.e_phnum <= MAX_SEGMENTS && (eh.e64.e_shnum || !eh.e64.e_shoff);
}

Elf *untrusted_elf__begin(int fd)
{
	elf_version(EV_CURRENT);
	return counts_are_sane(fd) ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
}

Elf_Data *untrusted_elf__data(Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data;

	if (sh->sh_type == SHT_NOBITS || !sh->sh_size || sh->sh_size > MAX_SECTION)
		return NULL;
	data = elf_getdata(scn, NULL);
	return data && data->d_buf && data->d_size ? data : NULL;
}

struct elf_strings untrusted_elf__strings(Elf *elf, size_t section)
{
	struct elf_strings s = {};
	Elf_Scn *scn = elf_getscn(elf, section);
	const Elf_Data *data;
	GElf_Shdr sh;

	if (!scn || !gelf_getshdr(scn, &sh) || sh.sh_type != SHT_STRTAB)
		return s;
	data = untrusted_elf__data(scn, &sh);
	if (!data || ((const char *)data->d_buf)[data->d_size - 1])
		return s;
	s.at = data->d_buf;
	s.size = data->d_size;
	return s;
}

const char *elf_strings__at(const struct elf_strings *s, size_t offset)
{
	return offset < s->size ? s->at + offset : "";
}

Elf_Scn *untrusted_elf__section(Elf *elf, const char *name, GElf_Shdr *sh)
{
	struct elf_strings names;
	Elf_Scn *scn = NULL;
	size_t index;

	if (elf_getshdrstrndx(elf, &index))
		return NULL;
	names = untrusted_elf__strings(elf, index);
	while ((scn = elf_nextscn(elf, scn))) {
		if (gelf_getshdr(scn, sh) && sh->sh_type != SHT_NOBITS && sh->sh_size &&
		    !strcmp(elf_strings__at(&names, sh->sh_name), name))
			return scn;
	}
	return NULL;
}
