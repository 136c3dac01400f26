/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "unwind/cfi_check.h"
#include "unwind/cfi_program.h"
#include "unwind/arch.h"

#define MAX_AUGMENTATION 8

struct cie {
	uint32_t offset;
	uint8_t pointer_size; /* of an FDE's address and length */
	bool sized;	      /* FDEs have augmentation data */
};

struct cfi_entries {
	VEC(struct cie) cies; /* by offset */
	uint8_t *fde_at;      /* a bit for each byte of the section: an FDE begins there */
	size_t size;
};

/* One entry, after its length. */
struct entry {
	struct reader rest;
	uint32_t offset;
	uint64_t id;
	size_t id_at;
	bool wide; /* 64-bit DWARF */
};

static void mark_fde(struct cfi_entries *e, size_t offset)
{
	e->fde_at[offset / 8] |= (uint8_t)(1 << offset % 8);
}

static bool is_fde(const struct cfi_entries *e, uint64_t offset)
{
	return offset < e->size && e->fde_at[offset / 8] >> offset % 8 & 1;
}

/* 0: not one of those in use. */
static uint8_t pointer_size(uint8_t encoding)
{
	unsigned int from = encoding & 0x70;

	if (from != DW_EH_PE_absptr && from != DW_EH_PE_pcrel && from != DW_EH_PE_datarel)
		return 0;
	switch (encoding & 0x0f) {
	case DW_EH_PE_udata2:
	case DW_EH_PE_sdata2:
		return 2;
	case DW_EH_PE_udata4:
	case DW_EH_PE_sdata4:
		return 4;
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return 8;
	default:
		return 0;
	}
}

/* The data that the letters of an augmentation announce. */
static bool check_augmentation(const char *letters, struct reader data, struct cie *cie)
{
	uint8_t size;

	for (; *letters; letters++) {
		switch (*letters) {
		case 'R':
			size = reader__u8(&data);
			cie->pointer_size = size & DW_EH_PE_indirect ? 0 : pointer_size(size);
			if (!cie->pointer_size)
				return false;
			break;
		case 'P':
			size = pointer_size(reader__u8(&data) & ~DW_EH_PE_indirect);
			if (!size)
				return false;
			reader__take(&data, size);
			break;
		case 'L':
			reader__u8(&data);
			break;
		case 'S':
		case 'B':
			break;
		default:
			return false;
		}
	}
	return !data.failed;
}

static bool check_version(struct reader *b, enum cfi_section kind, uint8_t *version)
{
	*version = reader__u8(b);
	return *version == 1 || *version == 3 || (*version == 4 && kind == CFI_DEBUG_FRAME);
}

static bool check_cie(struct entry *e, enum cfi_section kind, struct cie *cie)
{
	struct reader *b = &e->rest, data;
	const char *letters;
	uint8_t version;
	uint64_t column;

	*cie = (struct cie){.offset = e->offset, .pointer_size = ARCH_WORD};
	if (!check_version(b, kind, &version))
		return false;
	letters = reader__string(b, MAX_AUGMENTATION);
	if (!letters)
		return false;
	/* The size of addresses and that of segment selectors. */
	if (version == 4 && (reader__u8(b) != ARCH_WORD || reader__u8(b)))
		return false;
	cfi_program__leb128(b);
	cfi_program__leb128(b);
	column = version == 1 ? reader__u8(b) : cfi_program__leb128(b);
	if (column > ARCH_MAX_COLUMN)
		return false;
	if (*letters) {
		if (*letters++ != 'z')
			return false;
		cie->sized = true;
		data = reader__part(b, cfi_program__leb128(b));
		if (!check_augmentation(letters, data, cie))
			return false;
	}
	return cfi_program__check(*b, cie->pointer_size);
}

static const struct cie *find_cie(const struct cfi_entries *all, uint64_t offset)
{
	size_t lo = 0, hi = all->cies.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (all->cies.at[mid].offset == offset)
			return &all->cies.at[mid];
		if (all->cies.at[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static bool check_fde(const struct cfi_entries *all, struct entry *e, enum cfi_section kind)
{
	struct reader *b = &e->rest;
	const struct cie *cie;

	if (kind == CFI_EH_FRAME && e->id > e->id_at)
		return false;
	cie = find_cie(all, kind == CFI_EH_FRAME ? e->id_at - e->id : e->id);
	if (!cie)
		return false;
	reader__take(b, 2u * cie->pointer_size);
	if (cie->sized)
		reader__take(b, cfi_program__leb128(b));
	return cfi_program__check(*b, cie->pointer_size);
}

static bool is_cie(const struct entry *e, enum cfi_section kind)
{
	if (kind == CFI_EH_FRAME)
		return !e->id;
	return e->id == (e->wide ? DW_CIE_ID_64 : DW_CIE_ID_32);
}

static int check_entry(struct cfi_entries *all, struct entry *e, enum cfi_section kind)
{
	struct cie cie, *slot;

	if (!is_cie(e, kind)) {
		mark_fde(all, e->offset);
		return check_fde(all, e, kind) ? 0 : -EBADMSG;
	}
	if (!check_cie(e, kind, &cie))
		return -EBADMSG;
	slot = vec__add(&all->cies);
	if (!slot)
		return -ENOMEM;
	*slot = cie;
	return 0;
}

/* The next entry of b. False: there is none; b->failed if there should be. A length of zero has no entry, too. */
static bool next_entry(struct reader *b, const uint8_t *section, bool to_terminator, struct entry *e)
{
	uint64_t length;

	do {
		if (b->at == b->end)
			return false;
		*e = (struct entry){.offset = (uint32_t)(b->at - section)};
		length = reader__u32(b);
		if (!length && to_terminator)
			return false;
	} while (!length && !b->failed);
	if (length == DWARF3_LENGTH_64_BIT) {
		e->wide = true;
		length = reader__u64(b);
	}
	e->rest = reader__part(b, length);
	e->id_at = (size_t)(e->rest.at - section);
	e->id = e->wide ? reader__u64(&e->rest) : reader__u32(&e->rest);
	b->failed |= e->rest.failed;
	return !b->failed;
}

struct cfi_entries *cfi_check(const uint8_t *at, size_t *size, enum cfi_section kind, bool to_terminator, int *why)
{
	struct reader b = reader__of(at, *size);
	struct cfi_entries *all = calloc(1, sizeof(*all));
	struct entry e;

	*why = -ENOMEM;
	if (!all)
		return NULL;
	all->size = *size;
	all->fde_at = calloc(1, *size / 8 + 1);
	if (!all->fde_at)
		goto fail;
	*why = 0;
	while (!*why && next_entry(&b, at, to_terminator, &e))
		*why = check_entry(all, &e, kind);
	if (b.failed && !*why)
		*why = -EBADMSG;
	if (*why)
		goto fail;
	*size = (size_t)(b.at - at);
	return all;
fail:
	cfi_entries__free(all);
	return NULL;
}

void cfi_entries__free(struct cfi_entries *e)
{
	if (!e)
		return;
	vec__free(&e->cies);
	free(e->fde_at);
	free(e);
}

bool cfi_check__search_table(const struct cfi_entries *e, const uint8_t *hdr, size_t size, uint64_t hdr_addr,
			     uint64_t frame_addr)
{
	static const uint8_t usual[] = {1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_udata4,
					DW_EH_PE_datarel | DW_EH_PE_sdata4};
	struct reader b = reader__of(hdr, size);
	uint64_t n;

	if (size < sizeof(usual) || memcmp(hdr, usual, sizeof(usual)))
		return false;
	reader__take(&b, sizeof(usual));
	if (hdr_addr + sizeof(usual) + (uint64_t)(int32_t)reader__u32(&b) != frame_addr)
		return false;
	n = reader__u32(&b);
	if (b.failed || !n || n > reader__left(&b) / 8)
		return false;
	while (n--) {
		reader__u32(&b);
		if (!is_fde(e, hdr_addr + (uint64_t)(int32_t)reader__u32(&b) - frame_addr))
			return false;
	}
	return true;
}
