/* SPDX-License-Identifier: GPL-2.0-only */
#include "host_walk.h"

static u32 n_rows, n_mappings;
static u64 end_of_last;

void scene__start(void)
{
	host__forget_memory();
	memset(host__array(&rows), 0, n_rows * sizeof(struct lt_row));
	memset(host__array(&mappings), 0, n_mappings * sizeof(struct lt_mapping));
	memset(host__array(&rules), 0, sizeof(struct cached_rule) << CACHED_RULES_BITS);
	memset(host__space(0), 0, sizeof(struct lt_space));
	n_rows = n_mappings = 0;
	end_of_last = 0;
}

static void append(const struct lt_mapping *m)
{
	struct lt_mapping *all = host__array(&mappings);

	all[n_mappings++] = *m;
}

void scene__add_mapping(const struct lt_mapping *m, u64 end)
{
	const struct lt_mapping hole = {.start = end_of_last};

	if (end_of_last && end_of_last != m->start)
		append(&hole);
	append(m);
	end_of_last = end;
}

void scene__add_table(u32 file, u64 start, u64 end, const struct lt_row *table, u32 n)
{
	const struct lt_mapping m = {
		.start = start, .bias = start, .first = n_rows, .n = n, .file = file, .kind = LT_MAPPING_TABLE};
	struct lt_row *all = host__array(&rows);

	memcpy(all + n_rows, table, n * sizeof(*table));
	n_rows += n;
	scene__add_mapping(&m, end);
}

void scene__publish(void)
{
	const struct lt_mapping hole = {.start = end_of_last};
	struct lt_space *space = host__space(0);

	append(&hole);
	space->range = (u64)n_mappings << 32;
	space->generation++;
	space->fresh = space->stale;
}

void scene__walk(u64 sp, u64 fp, u64 ret)
{
	struct pt_regs regs = {.ip = IP, .sp = sp, .bp = fp};

	host__walk(0, &regs, ret, 1);
}

const struct lt_frame *scene__frame(unsigned int i)
{
	return &host.current->state.stack.frames[i];
}
