/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/work_limit.h"
#include "select/untrusted_elf.h"
#include "unwind/cfi_file.h"
#include "unwind/cfi_image.h"
#include "unwind/unwind_file.h"
#include "unwind/unwind_sections.h"

#define MAX_DECOMPRESSED (64u << 20)

/*
 * CPU time for libdw's lookups in one file. A lookup in a healthy file takes a few microseconds, so what is left stays
 * at the most; one that uses it up is not asked again.
 */
#define BUDGET_NS     500000000ull
#define PER_LOOKUP_NS 50000ull

enum load_state { NOT_YET, LOADED, NONE, REFUSED };

struct cfi_file {
	struct unwind_file file;
	uint64_t *memory_left;	    /* for all files together */
	struct cfi_image images[2]; /* by enum cfi_section */
	enum load_state states[2];
	struct work_limit limit;
};

struct cfi_file *cfi_file__open(const struct module *m, uint64_t *memory_left)
{
	struct cfi_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->memory_left = memory_left;
	f->limit.left_ns = BUDGET_NS;
	if (unwind_file__open(&f->file, m))
		f->states[CFI_EH_FRAME] = f->states[CFI_DEBUG_FRAME] = NONE;
	return f;
}

void cfi_file__close(struct cfi_file *f)
{
	if (!f)
		return;
	cfi_image__close(&f->images[CFI_EH_FRAME]);
	cfi_image__close(&f->images[CFI_DEBUG_FRAME]);
	free(f);
}

bool cfi_file__address(const struct cfi_file *f, uint64_t offset, uint64_t *address)
{
	unsigned int i;

	for (i = 0; i < f->file.n; i++) {
		const struct unwind_segment *s = &f->file.segments[i];

		if (s->executable && offset >= s->offset && offset - s->offset < s->end - s->start) {
			*address = s->start + (offset - s->offset);
			return true;
		}
	}
	return false;
}

static struct cfi_part part_of(const GElf_Shdr *sh)
{
	return (struct cfi_part){.offset = sh->sh_offset, .size = sh->sh_size, .address = sh->sh_addr};
}

/* What lies in the file from an address on, up to the end of its segment but no more than `max` bytes. */
static bool part_from(const struct unwind_file *f, uint64_t address, uint64_t max, struct cfi_part *part)
{
	const struct unwind_segment *s = unwind_file__segment(f, address);

	if (!s)
		return false;
	*part = (struct cfi_part){.offset = s->offset + (address - s->start),
				  .size = s->end - address < max ? s->end - address : max,
				  .address = address};
	return true;
}

/* Without section headers: .eh_frame_hdr is a segment and leads to .eh_frame, which ends at its terminator. */
static bool find_by_segment(const struct unwind_file *f, struct cfi_source *from)
{
	struct {
		uint8_t version, pointer, count, table;
		int32_t frame;
	} hdr;
	uint64_t address = f->eh_frame_hdr;

	if (!f->eh_frame_hdr_size || unwind_file__read(f, address, &hdr, sizeof(hdr)) < sizeof(hdr) ||
	    hdr.version != 1 || hdr.pointer != (DW_EH_PE_pcrel | DW_EH_PE_sdata4))
		return false;
	from->to_terminator = true;
	return part_from(f, address, f->eh_frame_hdr_size, &from->search_table) &&
	       part_from(f, address + offsetof(typeof(hdr), frame) + (uint64_t)(int64_t)hdr.frame, UINT64_MAX,
			 &from->section);
}

static bool find_eh_frame(const struct unwind_file *f, Elf *elf, struct cfi_source *from)
{
	GElf_Shdr sh;

	if (!untrusted_elf__section(elf, ".eh_frame", &sh))
		return find_by_segment(f, from);
	from->section = part_of(&sh);
	if (untrusted_elf__section(elf, ".eh_frame_hdr", &sh))
		from->search_table = part_of(&sh);
	return true;
}

static bool find_debug_frame(Elf *elf, struct cfi_source *from)
{
	const Elf_Data *data;
	GElf_Shdr sh;
	Elf_Scn *scn;

	scn = untrusted_elf__section(elf, ".debug_frame", &sh);
	if (!scn)
		return false;
	from->section = part_of(&sh);
	if (!(sh.sh_flags & SHF_COMPRESSED))
		return true;
	data = unwind_sections__decompressed(scn, &sh, MAX_DECOMPRESSED);
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
	struct cfi_source from = {.kind = kind, .fd = f->file.fd};
	Elf *elf = untrusted_elf__begin(f->file.fd);
	int err = -ENODATA;

	if (elf && (kind == CFI_EH_FRAME ? find_eh_frame(&f->file, elf, &from) : find_debug_frame(elf, &from)))
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
