/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>
#include <errno.h>

#include "base/cleanup.h"
#include "unwind/reader.h"
#include "unwind/unwind_file.h"
#include "unwind/unwind_info.h"
#include "unwind/unwind_sections.h"

#define MAX_WORK      (256u << 20)
#define MAX_FUNCTIONS (4u << 20)

/* .eh_frame_hdr as far as it is of use. */
struct header {
	uint64_t eh_frame;
	uint32_t n; /* entries of the table; 0: there is none of the usual form */
	uint64_t table;
};

struct table_entry {
	int32_t start, fde; /* counted from the header */
};

bool unwind_info__within_limits(const struct unwind_info *info)
{
	return info->section.work <= MAX_WORK;
}

static bool read_header(struct header *h, const struct unwind_file *f)
{
	uint8_t bytes[32], pointer_encoding, count_encoding, table_encoding;
	struct reader r;
	uint64_t n;

	if (!f->eh_frame_hdr_size)
		return false;
	r = reader__of(bytes, unwind_file__read(f, f->eh_frame_hdr, bytes, sizeof(bytes)));
	if (reader__u8(&r) != 1)
		return false;
	pointer_encoding = reader__u8(&r);
	count_encoding = reader__u8(&r);
	table_encoding = reader__u8(&r);
	if (!cfi__pointer(&r, pointer_encoding, f->eh_frame_hdr + (uint64_t)(r.at - bytes), &f->eh_frame_hdr,
			  &h->eh_frame))
		return false;
	h->n = 0;
	if (table_encoding != (DW_EH_PE_datarel | DW_EH_PE_sdata4) ||
	    !cfi__pointer(&r, count_encoding, f->eh_frame_hdr + (uint64_t)(r.at - bytes), &f->eh_frame_hdr, &n))
		return true;
	h->table = f->eh_frame_hdr + (uint64_t)(r.at - bytes);
	h->n = n <= MAX_FUNCTIONS ? (uint32_t)n : 0;
	return true;
}

/* Bytes of the file from an address on, to be looked at as a section. */
static int load(struct unwind_info *info, const struct unwind_file *f, uint64_t start, uint64_t end)
{
	const struct unwind_segment *s = unwind_file__segment(f, start);
	uint64_t n;

	if (!s || end <= start)
		return 0;
	n = (end < s->end ? end : s->end) - start;
	if (n > UNWIND_MAX_BYTES)
		return -EFBIG;
	info->bytes = malloc(n);
	if (!info->bytes)
		return -ENOMEM;
	info->section.bytes = info->bytes;
	info->section.n = unwind_file__read(f, start, info->bytes, n);
	info->section.address = start;
	return 0;
}

static int add(struct unwind_info *info, size_t at, enum cfi_entry entry, const struct cfi_fde *fde)
{
	struct unwind_function *function;

	if (entry == CFI_BAD || entry == CFI_END)
		info->bad++;
	if (entry != CFI_FDE)
		return 0;
	if (info->functions.n == MAX_FUNCTIONS || !unwind_info__within_limits(info))
		return -EFBIG;
	function = vec__add(&info->functions);
	if (!function)
		return -ENOMEM;
	*function = (struct unwind_function){.start = fde->start, .end = fde->end, .at = (uint32_t)at};
	return 0;
}

/* All entries of the section, one behind the other. `to_terminator`: where it ends is not known otherwise. */
static int walk_section(struct unwind_info *info, bool to_terminator)
{
	size_t at = 0, next;
	struct cfi_fde fde;
	int err = 0;

	while (!err && at < info->section.n) {
		enum cfi_entry entry = cfi_section__entry(&info->section, at, &fde, &next);

		err = add(info, at, entry, &fde);
		if (entry == CFI_END || (to_terminator && next - at == sizeof(uint32_t)))
			break;
		at = next;
	}
	return err;
}

/* The end of the last entry: the table does not say how long that is. */
static uint64_t end_of_entry(const struct unwind_file *f, uint64_t address)
{
	uint8_t bytes[12];
	struct reader r = reader__of(bytes, unwind_file__read(f, address, bytes, sizeof(bytes)));
	uint64_t length = reader__u32(&r), end = address + sizeof(uint32_t);

	if (length == 0xffffffff) {
		length = reader__u64(&r);
		end += sizeof(uint64_t);
	}
	return r.failed || __builtin_add_overflow(end, length, &end) ? address : end;
}

static int read_table(const struct unwind_file *f, const struct header *h, struct table_entry **table, size_t *n)
{
	const struct unwind_segment *s = unwind_file__segment(f, h->table);
	uint64_t most = s ? (s->end - h->table) / sizeof(**table) : 0;

	*n = h->n < most ? h->n : most;
	if (!*n)
		return 0;
	*table = reallocarray(NULL, *n, sizeof(**table));
	if (!*table)
		return -ENOMEM;
	*n = unwind_file__read(f, h->table, *table, *n * sizeof(**table)) / sizeof(**table);
	return 0;
}

/* The entries that .eh_frame_hdr lists. What lies between the first and the last of them is read as one section. */
static int walk_table(struct unwind_info *info, const struct unwind_file *f, const struct header *h)
{
	__cleanup_free struct table_entry *table = NULL;
	uint64_t first = h->eh_frame, last = 0;
	struct cfi_fde fde;
	size_t n, i, next;
	int err = read_table(f, h, &table, &n);

	for (i = 0; !err && i < n; i++) {
		uint64_t at = f->eh_frame_hdr + (uint64_t)(int64_t)table[i].fde;

		first = at < first ? at : first;
		last = at > last ? at : last;
	}
	if (err || !n)
		return err;
	err = load(info, f, first, end_of_entry(f, last));
	for (i = 0; !err && i < n; i++) {
		uint64_t at = f->eh_frame_hdr + (uint64_t)(int64_t)table[i].fde - first;
		enum cfi_entry entry = cfi_section__entry(&info->section, at, &fde, &next);

		err = add(info, at, entry, &fde);
	}
	return err;
}

/* Begin again, with something else; what was bad is still told. */
static void forget(struct unwind_info *info)
{
	uint32_t bad = info->bad;

	unwind_info__free(info);
	memset(info, 0, sizeof(*info));
	info->bad = bad;
}

static int walk_eh_frame(struct unwind_info *info, const struct unwind_file *f)
{
	uint64_t start, end;
	int err;

	if (!unwind_sections__eh_frame(f->fd, &start, &end))
		return 0;
	err = load(info, f, start, end);
	return err ? err : walk_section(info, false);
}

static int walk_debug_frame(struct unwind_info *info, const struct unwind_file *f)
{
	int err = unwind_sections__debug_frame(f->fd, &info->bytes, &info->section.n);

	if (err)
		return err;
	info->section.bytes = info->bytes;
	info->section.debug_frame = true;
	return walk_section(info, false);
}

/* By address; what starts at the same address by size, the largest last. */
static int by_start(const void *a, const void *b)
{
	const struct unwind_function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* Of functions that start at the same address the loader finds the last, which is the largest as linkers sort them. */
static void sort(struct unwind_info *info)
{
	struct unwind_function *at = info->functions.at;
	size_t i, n = 0, sorted = 1;

	while (sorted < info->functions.n && at[sorted - 1].start < at[sorted].start)
		sorted++;
	if (sorted >= info->functions.n)
		return;
	qsort(at, info->functions.n, sizeof(*at), by_start);
	for (i = 0; i < info->functions.n; i++) {
		if (i + 1 == info->functions.n || at[i].start != at[i + 1].start)
			at[n++] = at[i];
	}
	info->functions.n = n;
}

int unwind_info__read(struct unwind_info *info, const struct unwind_file *f)
{
	struct header h = {};
	bool have_header = read_header(&h, f);
	const struct unwind_segment *s;
	int err = 0;

	memset(info, 0, sizeof(*info));
	if (have_header)
		err = walk_table(info, f, &h);
	if (!err && have_header && !info->functions.n) {
		forget(info);
		s = unwind_file__segment(f, h.eh_frame);
		if (s)
			err = load(info, f, h.eh_frame, s->end);
		if (!err)
			err = walk_section(info, true);
	}
	if (!err && !info->functions.n) {
		forget(info);
		err = walk_eh_frame(info, f);
	}
	if (!err && !info->functions.n) {
		forget(info);
		err = walk_debug_frame(info, f);
	}
	if (!err)
		sort(info);
	return err;
}

void unwind_info__free(struct unwind_info *info)
{
	free(info->bytes);
	vec__free(&info->functions);
}
