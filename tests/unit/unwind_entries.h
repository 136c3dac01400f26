/* SPDX-License-Identifier: GPL-2.0-only */
/* unwind_entries: CIEs and FDEs written by hand, for an unwind_image or for .debug_frame. */
#pragma once

#include <dwarf.h>
#include <stdint.h>
#include <string.h>

#include "unwind_image.h"

struct entries {
	uint64_t address; /* of bytes[0] */
	size_t n;
	uint8_t bytes[65536];
	size_t open; /* the length to be filled in */
};

/* None yet, for an image. */
static inline void begin_entries(struct entries *e)
{
	e->address = IMAGE_EH_FRAME;
	e->n = 0;
}

static inline void put(struct entries *e, uint64_t value, size_t size)
{
	memcpy(e->bytes + e->n, &value, size);
	e->n += size;
}

static inline void put_bytes(struct entries *e, const void *bytes, size_t n)
{
	memcpy(e->bytes + e->n, bytes, n);
	e->n += n;
}

static inline void put_uleb(struct entries *e, uint64_t value)
{
	for (; value > 0x7f; value >>= 7)
		put(e, (value & 0x7f) | 0x80, 1);
	put(e, value, 1);
}

static inline void put_sleb(struct entries *e, int64_t value)
{
	for (; value > 0x3f || value < -0x40; value >>= 7)
		put(e, ((uint64_t)value & 0x7f) | 0x80, 1);
	put(e, (uint64_t)value & 0x7f, 1);
}

static inline void begin_entry(struct entries *e)
{
	e->open = e->n;
	put(e, 0, 4);
}

static inline void end_entry(struct entries *e)
{
	uint32_t length;

	while (e->n % 4)
		put(e, DW_CFA_nop, 1);
	length = (uint32_t)(e->n - e->open - 4);
	memcpy(e->bytes + e->open, &length, 4);
}

/* CFA rsp + 8, return address at CFA - 8. The factors are 1 and -8. Returns where it is. */
static inline size_t put_cie(struct entries *e, const char *augmentation, const void *data, size_t n)
{
	static const uint8_t program[] = {DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};
	size_t at = e->n;

	begin_entry(e);
	put(e, 0, 4);
	put(e, 1, 1);
	put_bytes(e, augmentation, strlen(augmentation) + 1);
	put_uleb(e, 1);
	put_sleb(e, -8);
	put(e, 16, 1);
	if (augmentation[0] == 'z')
		put_uleb(e, n);
	put_bytes(e, data, n);
	put_bytes(e, program, sizeof(program));
	end_entry(e);
	return at;
}

static inline size_t put_usual_cie(struct entries *e)
{
	static const uint8_t encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4;

	return put_cie(e, "zR", &encoding, 1);
}

/* For a CIE as put_usual_cie() makes it. */
static inline void put_fde(struct entries *e, size_t cie, uint64_t start, uint32_t size, const void *program, size_t n)
{
	begin_entry(e);
	put(e, e->n - cie, 4);
	put(e, start - (e->address + e->n), 4);
	put(e, size, 4);
	put_uleb(e, 0);
	put_bytes(e, program, n);
	end_entry(e);
}

/* An image with these entries and a terminator. */
static inline void image__of(struct image *im, struct entries *e)
{
	put(e, 0, 4);
	image__init(im, e->bytes, e->n);
}
