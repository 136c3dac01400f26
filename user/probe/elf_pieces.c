/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/elf_image_private.h"

/* The index: a header, then pairs of 32-bit distances from it to a piece of code and its entry, sorted. */
#define INDEX_HEAD   12
#define INDEX_FORMAT "\x01\x1b\x03\x3b" /* the only one that linkers write: pcrel sdata4, udata4, datarel sdata4 */

static uint64_t index_start(const unsigned char *index, uint64_t vaddr, size_t i)
{
	int32_t distance;

	memcpy(&distance, index + INDEX_HEAD + 8 * i, sizeof(distance));
	return vaddr + (uint64_t)(int64_t)distance;
}

static int find_in_index(struct elf_image *img, Elf_Data *data, uint64_t at, uint64_t vaddr, uint64_t *start,
			 uint64_t *end)
{
	size_t low = 0, high, middle, n;
	uint32_t count;
	GElf_Phdr ph;

	if (data->d_size < INDEX_HEAD || memcmp(data->d_buf, INDEX_FORMAT, 4) ||
	    !elf_image__code_segment(img, vaddr, &ph))
		return -ENOENT;
	memcpy(&count, (unsigned char *)data->d_buf + 8, sizeof(count));
	n = (data->d_size - INDEX_HEAD) / 8;
	n = count < n ? count : n;
	for (high = n; low < high;) {
		middle = (low + high) / 2;
		if (index_start(data->d_buf, at, middle) <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return -ENOENT;
	*start = index_start(data->d_buf, at, low - 1);
	*end = low < n ? index_start(data->d_buf, at, low) : ph.p_vaddr + ph.p_filesz;
	return *start <= vaddr && vaddr < *end ? 0 : -ENOENT;
}

/*
 * Without an index, as in static programs: the entries themselves (.eh_frame, LSB core 10.6.1). Only what compilers
 * write for this machine is read: 32-bit lengths, addresses as distances of 32 bits.
 */
#define MAX_FDES       (1u << 20)
#define ENCODING       0x1b /* DW_EH_PE_pcrel | DW_EH_PE_sdata4 */
#define AUGMENTATION   9    /* bytes of a CIE before it: length, id, version */
#define MAX_LEB_LENGTH 5

struct section {
	const unsigned char *bytes;
	size_t size;
	uint64_t vaddr;
};

static uint32_t word(const struct section *s, size_t at)
{
	uint32_t value;

	memcpy(&value, s->bytes + at, sizeof(value));
	return value;
}

/* Skip a number of variable length; 0: it has no end. */
static size_t skip_leb(const struct section *s, size_t at, size_t end)
{
	size_t i;

	for (i = 0; i < MAX_LEB_LENGTH && at + i < end; i++) {
		if (!(s->bytes[at + i] & 0x80))
			return at + i + 1;
	}
	return 0;
}

/* Do the FDEs of this CIE have addresses as is expected? The data of "zR" is the encoding; of "zPLR" it is the last. */
static bool has_distances(const struct section *s, size_t at, size_t end)
{
	const char *letters = (const char *)s->bytes + at + AUGMENTATION, *letter;
	size_t n = at + AUGMENTATION < end ? strnlen(letters, end - at - AUGMENTATION) : 0, i;

	if (!n || letters[0] != 'z' || at + AUGMENTATION + n >= end)
		return false;
	/* Code and data alignment, the return address's column, the length of what follows. */
	i = at + AUGMENTATION + n + 1;
	for (n = 0; n < 4 && i; n++)
		i = skip_leb(s, i, end);
	for (letter = letters + 1; i && *letter && *letter != 'R'; letter++)
		i += *letter == 'P' ? 5 : *letter == 'L';
	return i && *letter && i < end && s->bytes[i] == ENCODING;
}

static int add_fde(struct elf_image *img, const struct section *s, size_t at)
{
	uint64_t start = s->vaddr + at + (uint64_t)(int64_t)(int32_t)word(s, at);
	struct lt_range *r = img->fdes.n < MAX_FDES ? vec__add(&img->fdes) : NULL;

	if (!r)
		return -ENOMEM;
	*r = (struct lt_range){start, start + word(s, at + 4)};
	return 0;
}

static void read_fdes(struct elf_image *img, const struct section *s)
{
	size_t at, end, cie;
	int err = 0;

	for (at = 0; at + 8 <= s->size && word(s, at) && !err; at = end) {
		end = at + 4 + word(s, at);
		if (end > s->size || end < at + 8)
			return;
		cie = at + 4 - word(s, at + 4);
		if (word(s, at + 4) && at + 16 <= end && cie < at && cie + 8 < at && !word(s, cie + 4) &&
		    has_distances(s, cie, cie + 4 + word(s, cie) < at ? cie + 4 + word(s, cie) : at))
			err = add_fde(img, s, at + 8);
	}
}

static int compare_starts(const void *a, const void *b)
{
	const struct lt_range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void look_for_fdes(struct elf_image *img)
{
	GElf_Shdr sh;
	Elf_Scn *scn = untrusted_elf__section(img->elf, ".eh_frame", &sh);
	Elf_Data *data = scn ? untrusted_elf__data(scn, &sh) : NULL;
	struct section s = {};

	img->looked_for_fdes = true;
	if (!data)
		return;
	s = (struct section){data->d_buf, data->d_size, sh.sh_addr};
	read_fdes(img, &s);
	if (img->fdes.n)
		qsort(img->fdes.at, img->fdes.n, sizeof(*img->fdes.at), compare_starts);
}

static int find_in_fdes(struct elf_image *img, uint64_t vaddr, uint64_t *start, uint64_t *end)
{
	size_t low = 0, high, middle;
	GElf_Phdr ph;

	if (!img->looked_for_fdes)
		look_for_fdes(img);
	for (high = img->fdes.n; low < high;) {
		middle = (low + high) / 2;
		if (img->fdes.at[middle].start <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || vaddr >= img->fdes.at[low - 1].end || !elf_image__code_segment(img, vaddr, &ph))
		return -ENOENT;
	*start = img->fdes.at[low - 1].start;
	*end = img->fdes.at[low - 1].end;
	return *end - ph.p_vaddr <= ph.p_filesz ? 0 : -ENOENT;
}

int elf_image__piece(struct elf_image *img, uint64_t vaddr, uint64_t *start, uint64_t *end)
{
	GElf_Shdr sh;
	Elf_Scn *scn = untrusted_elf__section(img->elf, ".eh_frame_hdr", &sh);
	Elf_Data *data = scn ? untrusted_elf__data(scn, &sh) : NULL;

	return data ? find_in_index(img, data, sh.sh_addr, vaddr, start, end) : find_in_fdes(img, vaddr, start, end);
}
