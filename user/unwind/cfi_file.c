/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/vec.h"
#include "base/work_limit.h"
#include "select/untrusted_elf.h"
#include "unwind/cfi_file.h"
#include "unwind/cfi_image.h"
#include "unwind/arch.h"

#define MAX_DECOMPRESSED (64u << 20)

/*
 * CPU time for libdw's lookups in one file. A lookup in a healthy file takes a few microseconds, so what is left stays
 * at the most; one that uses it up is not asked again.
 */
#define BUDGET_NS     500000000ull
#define PER_LOOKUP_NS 50000ull

struct segment {
	uint64_t offset, filesz, vaddr;
	bool code;
};

enum load_state { NOT_YET, LOADED, NONE, REFUSED };

struct cfi_file {
	int fd;
	uint64_t *memory_left; /* for all files together */
	VEC(struct segment) segments;
	struct cfi_image images[2]; /* by enum cfi_section */
	enum load_state states[2];
	struct work_limit limit;
};

static bool read_segments(struct cfi_file *f, Elf *elf)
{
	size_t i, n;

	if (elf_getphdrnum(elf, &n))
		return true;
	for (i = 0; i < n; i++) {
		struct segment *s;
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		s = vec__add(&f->segments);
		if (!s)
			return false;
		*s = (struct segment){ph.p_offset, ph.p_filesz, ph.p_vaddr, ph.p_flags & PF_X};
	}
	return true;
}

static Elf *begin_elf(int fd)
{
	Elf *elf = untrusted_elf__begin(fd);
	GElf_Ehdr ehdr;

	if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == ELFCLASS64 && gelf_getehdr(elf, &ehdr) &&
	    ehdr.e_machine == ARCH_MACHINE)
		return elf;
	elf_end(elf);
	return NULL;
}

struct cfi_file *cfi_file__open(int fd, uint64_t *memory_left)
{
	struct cfi_file *f = calloc(1, sizeof(*f));
	Elf *elf;

	if (!f)
		return NULL;
	f->fd = fd;
	f->memory_left = memory_left;
	f->limit.left_ns = BUDGET_NS;
	elf = begin_elf(fd);
	if (!elf) {
		f->states[CFI_EH_FRAME] = f->states[CFI_DEBUG_FRAME] = NONE;
		return f;
	}
	if (!read_segments(f, elf)) {
		cfi_file__close(f);
		f = NULL;
	}
	elf_end(elf);
	return f;
}

void cfi_file__close(struct cfi_file *f)
{
	if (!f)
		return;
	cfi_image__close(&f->images[CFI_EH_FRAME]);
	cfi_image__close(&f->images[CFI_DEBUG_FRAME]);
	vec__free(&f->segments);
	free(f);
}

bool cfi_file__address(const struct cfi_file *f, uint64_t offset, uint64_t *address)
{
	const struct segment *s;

	vec__each (&f->segments, s) {
		if (s->code && offset >= s->offset && offset - s->offset < s->filesz) {
			*address = s->vaddr + (offset - s->offset);
			return true;
		}
	}
	return false;
}

static struct cfi_part part_of(const GElf_Shdr *sh)
{
	return (struct cfi_part){.offset = sh->sh_offset, .size = sh->sh_size, .address = sh->sh_addr};
}

/* Without section headers: .eh_frame_hdr is a segment and leads to .eh_frame, which ends at its terminator. */
static bool find_by_segment(const struct cfi_file *f, Elf *elf, struct cfi_source *from)
{
	const struct segment *s;
	uint64_t address = 0;
	GElf_Phdr ph;
	size_t i, n;
	struct {
		uint8_t version, pointer, count, table;
		int32_t frame;
	} hdr;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (i = 0; i < n && !address; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_GNU_EH_FRAME)
			continue;
		if (pread(f->fd, &hdr, sizeof(hdr), (off_t)ph.p_offset) < (ssize_t)sizeof(hdr) || hdr.version != 1 ||
		    hdr.pointer != (DW_EH_PE_pcrel | DW_EH_PE_sdata4))
			return false;
		address = ph.p_vaddr + offsetof(typeof(hdr), frame) + (uint64_t)(int64_t)hdr.frame;
	}
	vec__each (&f->segments, s) {
		uint64_t into = address - s->vaddr;

		if (!address || into >= s->filesz)
			continue;
		from->search_table = (struct cfi_part){ph.p_offset, ph.p_filesz, ph.p_vaddr};
		from->section = (struct cfi_part){s->offset + into, s->filesz - into, address};
		from->to_terminator = true;
		return true;
	}
	return false;
}

static bool find_eh_frame(const struct cfi_file *f, Elf *elf, struct cfi_source *from)
{
	GElf_Shdr sh;

	if (!untrusted_elf__section(elf, ".eh_frame", &sh))
		return find_by_segment(f, elf, from);
	from->section = part_of(&sh);
	if (untrusted_elf__section(elf, ".eh_frame_hdr", &sh))
		from->search_table = part_of(&sh);
	return true;
}

static bool find_debug_frame(Elf *elf, struct cfi_source *from)
{
	const Elf_Data *data;
	GElf_Shdr sh;
	GElf_Chdr ch;
	Elf_Scn *scn;

	scn = untrusted_elf__section(elf, ".debug_frame", &sh);
	if (!scn)
		return false;
	from->section = part_of(&sh);
	if (!(sh.sh_flags & SHF_COMPRESSED))
		return true;
	if (sh.sh_size > MAX_DECOMPRESSED || !gelf_getchdr(scn, &ch) || ch.ch_size > MAX_DECOMPRESSED ||
	    elf_compress(scn, 0, 0) < 0 || !gelf_getshdr(scn, &sh))
		return false;
	data = untrusted_elf__data(scn, &sh);
	if (!data)
		return false;
	from->section.size = data->d_size;
	from->bytes = data->d_buf;
	return true;
}

static int open_image(struct cfi_file *f, const struct cfi_source *from)
{
	uint64_t size = from->section.size + from->search_table.size;
	int err;

	if (size < from->section.size || size > *f->memory_left)
		return -EFBIG;
	err = cfi_image__open(&f->images[from->kind], from);
	if (!err)
		*f->memory_left -= size;
	return err;
}

static enum load_state load(struct cfi_file *f, enum cfi_section kind)
{
	struct cfi_source from = {.kind = kind, .fd = f->fd};
	Elf *elf = begin_elf(f->fd);
	int err = -ENODATA;

	if (elf && (kind == CFI_EH_FRAME ? find_eh_frame(f, elf, &from) : find_debug_frame(elf, &from)))
		err = open_image(f, &from);
	elf_end(elf);
	if (err == -ENODATA)
		return NONE;
	return err ? REFUSED : LOADED;
}

static enum cfi_found look_up(struct cfi_file *f, enum cfi_section kind, uint64_t address, Dwarf_Frame **out)
{
	int err;

	if (f->states[kind] == NOT_YET)
		f->states[kind] = load(f, kind);
	if (f->states[kind] == NONE)
		return CFI_GAP;
	if (f->states[kind] == REFUSED || !f->limit.left_ns)
		return CFI_REFUSED;
	f->limit.left_ns += PER_LOOKUP_NS;
	if (f->limit.left_ns > BUDGET_NS)
		f->limit.left_ns = BUDGET_NS;
	work_limit__start(&f->limit);
	err = dwarf_cfi_addrframe(f->images[kind].cfi, address, out);
	work_limit__stop(&f->limit);
	return err ? CFI_GAP : CFI_FOUND;
}

enum cfi_found cfi_file__frame(struct cfi_file *f, uint64_t address, Dwarf_Frame **out)
{
	enum cfi_found found = look_up(f, CFI_EH_FRAME, address, out);

	return found == CFI_GAP ? look_up(f, CFI_DEBUG_FRAME, address, out) : found;
}
