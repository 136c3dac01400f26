/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>

#include "unwind/arch.h"
#include "unwind/cfi.h"
#include "unwind/reader.h"

#define POINTER_SIZE 8

/* The value alone, as its low four bits say. */
static bool plain_value(struct reader *r, uint8_t encoding, uint64_t *value)
{
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
	case DW_EH_PE_signed:
		*value = reader__u64(r);
		break;
	case DW_EH_PE_uleb128:
		*value = reader__uleb(r);
		break;
	case DW_EH_PE_udata2:
		*value = reader__u16(r);
		break;
	case DW_EH_PE_udata4:
		*value = reader__u32(r);
		break;
	case DW_EH_PE_sleb128:
		*value = (uint64_t)reader__sleb(r);
		break;
	case DW_EH_PE_sdata2:
		*value = (uint64_t)(int64_t)(int16_t)reader__u16(r);
		break;
	case DW_EH_PE_sdata4:
		*value = (uint64_t)(int64_t)(int32_t)reader__u32(r);
		break;
	default:
		return false;
	}
	return !r->failed;
}

bool cfi__pointer(struct reader *r, uint8_t encoding, uint64_t address_of_value, const uint64_t *data, uint64_t *value)
{
	if (encoding == DW_EH_PE_omit || (encoding & DW_EH_PE_indirect) || !plain_value(r, encoding, value))
		return false;
	switch (encoding & 0x70) {
	case DW_EH_PE_absptr:
		return true;
	case DW_EH_PE_pcrel:
		*value += address_of_value;
		return true;
	case DW_EH_PE_datarel:
		*value += data ? *data : 0;
		return data;
	default:
		return false;
	}
}

static uint64_t address_at(const struct cfi_section *s, const struct reader *r)
{
	return s->address + (uint64_t)(r->at - s->bytes);
}

/* Personality routines are no use here; indirect and aligned ones are usual. */
static bool skip_personality(const struct cfi_section *s, struct reader *r)
{
	uint8_t encoding = reader__u8(r);
	uint64_t unused;

	if (encoding == DW_EH_PE_omit)
		return true;
	if ((encoding & 0x70) == DW_EH_PE_aligned) {
		reader__take(r, -address_at(s, r) % POINTER_SIZE);
		reader__take(r, POINTER_SIZE);
		return !r->failed;
	}
	return plain_value(r, encoding, &unused);
}

/* An unknown letter may mean anything, so it makes the CIE useless. */
static bool read_augmentation(const struct cfi_section *s, struct cfi_cie *c, const char *letters, struct reader *r)
{
	struct reader data;

	if (!*letters)
		return true;
	if (*letters != 'z')
		return false;
	data = reader__part(r, reader__uleb(r));
	if (data.failed)
		return false;
	c->sized = true;
	while (*++letters) {
		switch (*letters) {
		case 'R':
			c->encoding = reader__u8(&data);
			break;
		case 'L':
			reader__u8(&data);
			break;
		case 'P':
			if (!skip_personality(s, &data))
				return false;
			break;
		case 'S':
			c->signal = true;
			break;
		case 'B': /* aarch64: return addresses are signed with the B key */
		case 'G': /* aarch64: frames with tagged memory */
			break;
		default:
			return false;
		}
	}
	return !data.failed;
}

/* What follows the id of a CIE. */
static bool read_cie(const struct cfi_section *s, struct cfi_cie *c, struct reader *r)
{
	uint8_t version = reader__u8(r);
	const char *letters = reader__string(r, reader__left(r));
	uint64_t return_column;

	if ((version != 1 && version != 3 && version != 4) || !letters)
		return false;
	/* GCC 2: a pointer to tables of its own. */
	if (letters[0] == 'e' && letters[1] == 'h') {
		reader__take(r, POINTER_SIZE);
		letters += 2;
	}
	/* The size of an address, and of a segment selector. */
	if (version == 4 && (reader__u8(r) != POINTER_SIZE || reader__u8(r) != 0))
		return false;
	c->code_factor = reader__uleb(r);
	c->data_factor = reader__sleb(r);
	return_column = version == 1 ? reader__u8(r) : reader__uleb(r);
	if (r->failed || return_column != ARCH_PC || !read_augmentation(s, c, letters, r))
		return false;
	c->program.bytes = r->at;
	c->program.n = reader__left(r);
	return true;
}

/* The length and the id that all entries begin with. */
struct head {
	struct reader rest;
	size_t id_at;
	uint64_t id;
	bool is_cie;
};

static enum cfi_entry read_head(struct cfi_section *s, size_t at, struct head *h, size_t *next)
{
	struct reader r;
	uint64_t length;
	bool is_64;

	if (at >= s->n)
		return CFI_END;
	r = reader__of(s->bytes + at, s->n - at);
	length = reader__u32(&r);
	is_64 = length == 0xffffffff;
	if (is_64)
		length = reader__u64(&r);
	if (r.failed || length > reader__left(&r))
		return CFI_END;
	*next = (size_t)(r.at - s->bytes) + length;
	if (!length)
		return CFI_NOTHING;
	r.end = r.at + length;
	h->id_at = (size_t)(r.at - s->bytes);
	h->id = is_64 ? reader__u64(&r) : reader__u32(&r);
	if (s->debug_frame)
		h->is_cie = h->id == (is_64 ? UINT64_MAX : UINT32_MAX);
	else
		h->is_cie = !h->id;
	h->rest = r;
	return r.failed ? CFI_BAD : CFI_FDE;
}

static struct cfi_cie *cie_at(struct cfi_section *s, size_t at)
{
	struct cfi_cie *c = &s->cies[(at ^ at >> 6 ^ at >> 12) % CFI_CACHED_CIES];
	struct head h;
	size_t next;

	if (c->valid && c->at == at)
		return c;
	if (read_head(s, at, &h, &next) != CFI_FDE || !h.is_cie)
		return NULL;
	*c = (struct cfi_cie){.at = at};
	c->valid = read_cie(s, c, &h.rest);
	s->work += next - at;
	return c->valid ? c : NULL;
}

/* What follows the CIE pointer of an FDE. */
static enum cfi_entry read_fde(struct cfi_section *s, struct cfi_fde *fde, struct reader *r)
{
	const struct cfi_cie *c = fde->cie;
	uint64_t n;

	if (!cfi__pointer(r, c->encoding, address_at(s, r), NULL, &fde->start) || !plain_value(r, c->encoding, &n))
		return CFI_BAD;
	if (c->sized)
		reader__take(r, reader__uleb(r));
	if (r->failed)
		return CFI_BAD;
	fde->end = fde->start + n;
	fde->program.bytes = r->at;
	fde->program.n = reader__left(r);
	if (!n)
		return CFI_NOTHING;
	return fde->end > fde->start ? CFI_FDE : CFI_BAD;
}

enum cfi_entry cfi_section__entry(struct cfi_section *s, size_t at, struct cfi_fde *fde, size_t *next)
{
	struct head h;
	enum cfi_entry entry = read_head(s, at, &h, next);
	uint64_t cie;

	if (entry != CFI_FDE)
		return entry;
	if (h.is_cie)
		return CFI_NOTHING;
	s->work += sizeof(uint64_t);
	/* .eh_frame counts back from here, .debug_frame from the section's start. */
	cie = s->debug_frame ? h.id : h.id_at - h.id;
	if (cie >= s->n)
		return CFI_BAD;
	fde->cie = cie_at(s, cie);
	return fde->cie ? read_fde(s, fde, &h.rest) : CFI_BAD;
}
