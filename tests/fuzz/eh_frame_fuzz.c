/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * eh_frame_fuzz: a libFuzzer target. The input is an .eh_frame in a file that is otherwise good; or, if it begins like
 * an ELF file, the whole file. What is built twice must be the same twice, in order, and complete.
 */
#include <errno.h>
#include <stdlib.h>

#include "../unit/unwind_image.h"

static struct image image;

static int build(struct unwind_table *t, const uint8_t *data, size_t n, bool every_row)
{
	if (n >= SELFMAG && !memcmp(data, ELFMAG, SELFMAG))
		return build_from_bytes(t, data, n, every_row);
	image__init(&image, data, n);
	return image__build(t, &image, every_row);
}

static void check_order(const struct unwind_table *t)
{
	size_t i;

	for (i = 1; i < t->rows.n; i++) {
		if (t->rows.at[i].pc <= t->rows.at[i - 1].pc)
			abort();
	}
}

/* Each row that was kept is in the full table, too. */
static void check_kept(const struct unwind_table *full, const struct unwind_table *kept)
{
	const struct lt_row *row, *other;

	vec__each (&kept->rows, row) {
		other = unwind_table__find(full, kept->base + row->pc);
		if (!other || other->pc != row->pc || other->rule != (row->rule & ~LT_RULE_INEXACT))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct unwind_table full, kept;
	int err;

	if (n > IMAGE_MAX - IMAGE_EH_FRAME)
		return 0;
	err = build(&full, data, n, true);
	if (build(&kept, data, n, false) != err && err != -EFBIG)
		abort();
	if (!err) {
		check_order(&full);
		check_order(&kept);
		check_kept(&full, &kept);
	}
	unwind_table__free(&full);
	unwind_table__free(&kept);
	return 0;
}
