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

/* Of whatever form it is, a file with one is not read otherwise. */
static void take_index(struct elf_image *img, Elf_Data *data, uint64_t vaddr)
{
	uint32_t count;

	if (data->d_size < INDEX_HEAD || memcmp(data->d_buf, INDEX_FORMAT, 4))
		return;
	memcpy(&count, (unsigned char *)data->d_buf + 8, sizeof(count));
	img->index = data->d_buf;
	img->index_vaddr = vaddr;
	img->n_index = (data->d_size - INDEX_HEAD) / 8;
	img->n_index = count < img->n_index ? count : img->n_index;
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

static void take_fdes(struct elf_image *img)
{
	GElf_Shdr sh;
	Elf_Scn *scn = untrusted_elf__section(img->elf, ".eh_frame", &sh);
	Elf_Data *data = scn ? untrusted_elf__data(scn, &sh) : NULL;
	struct section s = {};

	if (!data)
		return;
	s = (struct section){data->d_buf, data->d_size, sh.sh_addr};
	read_fdes(img, &s);
	if (img->fdes.n)
		qsort(img->fdes.at, img->fdes.n, sizeof(*img->fdes.at), compare_starts);
}

static void look_for_pieces(struct elf_image *img)
{
	GElf_Shdr sh;
	Elf_Scn *scn = untrusted_elf__section(img->elf, ".eh_frame_hdr", &sh);
	Elf_Data *data = scn ? untrusted_elf__data(scn, &sh) : NULL;

	img->looked_for_pieces = true;
	if (data)
		take_index(img, data, sh.sh_addr);
	else
		take_fdes(img);
}

static uint64_t start_of(const struct elf_image *img, size_t i)
{
	return img->index ? index_start(img->index, img->index_vaddr, i) : img->fdes.at[i].start;
}

/* The index knows no ends: a piece goes on to the next. Of an entry that leaves its segment nothing is believed. */
static uint64_t end_of(const struct elf_image *img, size_t i, const GElf_Phdr *ph)
{
	if (!img->index)
		return img->fdes.at[i].end - ph->p_vaddr <= ph->p_filesz ? img->fdes.at[i].end : 0;
	return i + 1 < img->n_index ? start_of(img, i + 1) : ph->p_vaddr + ph->p_filesz;
}

int elf_image__piece(struct elf_image *img, uint64_t vaddr, uint64_t *start, uint64_t *end)
{
	size_t low = 0, high, middle;
	GElf_Phdr ph;

	if (!img->looked_for_pieces)
		look_for_pieces(img);
	for (high = img->index ? img->n_index : img->fdes.n; low < high;) {
		middle = (low + high) / 2;
		if (start_of(img, middle) <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || !elf_image__code_segment(img, vaddr, &ph))
		return -ENOENT;
	*start = start_of(img, low - 1);
	*end = end_of(img, low - 1, &ph);
	return *start <= vaddr && vaddr < *end ? 0 : -ENOENT;
}
