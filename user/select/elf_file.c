/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <elfutils/libdwelf.h>

#include "select/elf_file.h"

#define MAX_FILE     (16ull << 30)
#define MAX_SECTION  (1ull << 30)
#define MAX_NAMES    (16u << 20)
#define MAX_SECTIONS 0xff00 /* more need the extended numbering, which no linker output of use to us has */
#define MAX_SEGMENTS 256

static int read_segments(struct elf_file *f)
{
	size_t n, i;

	if (elf_getphdrnum(f->elf, &n))
		return -EINVAL;
	for (i = 0; i < n && i < MAX_SEGMENTS; i++) {
		struct elf_segment *s;
		GElf_Phdr p;

		if (!gelf_getphdr(f->elf, (int)i, &p) || p.p_type != PT_LOAD)
			continue;
		s = vec__add(&f->segments);
		if (!s)
			return -ENOMEM;
		*s = (struct elf_segment){.offset = p.p_offset,
					  .filesz = p.p_filesz,
					  .vaddr = p.p_vaddr,
					  .memsz = p.p_memsz,
					  .code = p.p_flags & PF_X};
		if (f->segments.n == 1)
			f->base = p.p_align > 1 ? p.p_vaddr & -p.p_align : p.p_vaddr;
	}
	return 0;
}

/*
 * libelf checks each name that it is asked for by looking for the NUL backwards from the end of the table: with no NUL
 * near the end that is quadratic. So the table is checked here once, and a file that fails has no sections for us.
 */
static void read_section_names(struct elf_file *f)
{
	const Elf_Data *data;
	GElf_Shdr shdr;
	Elf_Scn *scn;
	size_t n, index;

	if (elf_getshdrnum(f->elf, &n) || n > MAX_SECTIONS || elf_getshdrstrndx(f->elf, &index))
		return;
	scn = elf_getscn(f->elf, index);
	if (!scn || !gelf_getshdr(scn, &shdr) || shdr.sh_type != SHT_STRTAB || shdr.sh_size > MAX_NAMES)
		return;
	data = elf_file__data(scn, &shdr);
	if (!data || ((const char *)data->d_buf)[data->d_size - 1])
		return;
	f->names = data->d_buf;
	f->names_size = data->d_size;
}

int elf_file__open(struct elf_file *f, int fd, bool may_map)
{
	struct stat st;
	int err;

	*f = (struct elf_file){.mapped = may_map};
	if (fd < 0 || fstat(fd, &st))
		return -EBADF;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > MAX_FILE)
		return -EFBIG;
	elf_version(EV_CURRENT);
	/* Read, not mapped: whoever can truncate a mapped file kills its readers with SIGBUS. */
	f->elf = elf_begin(fd, may_map ? ELF_C_READ_MMAP : ELF_C_READ, NULL);
	if (!f->elf)
		return -EINVAL;
	err = elf_kind(f->elf) == ELF_K_ELF ? read_segments(f) : -EINVAL;
	if (err) {
		elf_file__close(f);
		return err;
	}
	read_section_names(f);
	return 0;
}

void elf_file__close(struct elf_file *f)
{
	if (f->elf)
		elf_end(f->elf);
	vec__free(&f->segments);
	*f = (struct elf_file){};
}

bool elf_file__address(const struct elf_file *f, uint64_t offset, uint64_t *vaddr)
{
	const struct elf_segment *s, *found = NULL;

	vec__each (&f->segments, s) {
		if (offset < s->offset || offset - s->offset >= s->filesz)
			continue;
		if (!found || (s->code && !found->code))
			found = s;
	}
	if (!found)
		return false;
	*vaddr = found->vaddr + (offset - found->offset);
	return true;
}

bool elf_file__is_code(const struct elf_file *f, uint64_t addr)
{
	const struct elf_segment *s;

	vec__each (&f->segments, s)
		if (s->code && addr >= s->vaddr && addr - s->vaddr < s->memsz)
			return true;
	return false;
}

const char *elf_file__section_name(const struct elf_file *f, const GElf_Shdr *shdr)
{
	return f->names && shdr->sh_name < f->names_size ? f->names + shdr->sh_name : "";
}

const Elf_Data *elf_file__data(Elf_Scn *scn, const GElf_Shdr *shdr)
{
	const Elf_Data *data;

	if (shdr->sh_type == SHT_NOBITS || !shdr->sh_size || shdr->sh_size > MAX_SECTION)
		return NULL;
	data = elf_getdata(scn, NULL);
	return data && data->d_buf && data->d_size ? data : NULL;
}

bool elf_file__has_dwarf(const struct elf_file *f)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while (f->names && (scn = elf_nextscn(f->elf, scn))) {
		const char *name;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS)
			continue;
		name = elf_file__section_name(f, &shdr);
		if (!strcmp(name, ".debug_info") || !strcmp(name, ".zdebug_info"))
			return true;
	}
	return false;
}

static bool is_debug_strings(const char *name)
{
	const char *end = strstr(name, "_str");

	return strstr(name, "debug_") && end && (!strcmp(end, "_str") || !strcmp(end, "_str.dwo"));
}

bool elf_file__strings_end(const struct elf_file *f)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;

	while (f->names && (scn = elf_nextscn(f->elf, scn))) {
		const Elf_Data *data;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS)
			continue;
		if (!is_debug_strings(elf_file__section_name(f, &shdr)))
			continue;
		data = elf_getdata(scn, NULL);
		if (data && data->d_size && (!data->d_buf || ((const char *)data->d_buf)[data->d_size - 1]))
			return false;
	}
	return true;
}

static uint64_t section_memory(const struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *shdr, bool gnu_compressed)
{
	uint64_t size = f->mapped ? 0 : shdr->sh_size;
	ssize_t gnu_size;
	GElf_Chdr chdr;

	if (shdr->sh_size > MAX_SECTION)
		return MAX_SECTION;
	if (shdr->sh_flags & SHF_COMPRESSED) {
		/* What does not fit here cannot fit in memory either: keep the sum from wrapping. */
		if (!gelf_getchdr(scn, &chdr) || chdr.ch_size > MAX_SECTION)
			return MAX_SECTION;
		return size + chdr.ch_size;
	}
	if (gnu_compressed) {
		gnu_size = dwelf_scn_gnu_compressed_size(scn);
		if (gnu_size > (ssize_t)MAX_SECTION)
			return MAX_SECTION;
		return size + (gnu_size > 0 ? (uint64_t)gnu_size : 0);
	}
	return size;
}

uint64_t elf_file__dwarf_memory(const struct elf_file *f)
{
	Elf_Scn *scn = NULL;
	uint64_t sum = 0;
	GElf_Shdr shdr;

	while (f->names && (scn = elf_nextscn(f->elf, scn))) {
		const char *name;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type == SHT_NOBITS)
			continue;
		name = elf_file__section_name(f, &shdr);
		if (!strncmp(name, ".debug_", 7) || !strncmp(name, ".zdebug_", 8) ||
		    !strncmp(name, ".gnu.debuglto_.", 15))
			sum += section_memory(f, scn, &shdr, name[1] == 'z');
	}
	return sum;
}
