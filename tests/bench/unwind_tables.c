// SPDX-License-Identifier: GPL-2.0-only
// What the unwind tables of ELF files cost: unwind_tables FILE...
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "select/module.h"
#include "unwind/table.h"

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static size_t count(const struct unwind_table *t, enum lt_rule_type type)
{
	size_t i, n = 0;

	for (i = 0; i < t->rows.n; i++)
		n += lt_rule_type(t->rows.at[i].rule) == type;
	return n;
}

static void measure(const char *path)
{
	struct module m = {.path = (char *)path, .fd = open(path, O_RDONLY | O_CLOEXEC), .root_fd = -1};
	const struct unwind_table_options every_row = {.every_row = true}, filtered = {};
	struct unwind_table all, kept;
	double start = cpu_ms(), middle, end;
	int err = unwind_table__build(&kept, &m, &filtered);

	middle = cpu_ms();
	if (!err)
		err = unwind_table__build(&all, &m, &every_row);
	end = cpu_ms();
	if (err)
		printf("%s: %s\n", path, strerror(-err));
	else
		printf("%-40s %8zu rows %7zu kept (%4.1f %%) %7.1f ms (all: %7.1f ms) none %u/%u guess %zu/%zu end %zu "
		       "plt %zu deref %zu signal %zu bad %u%s\n",
		       strrchr(path, '/') ? strrchr(path, '/') + 1 : path, all.rows.n, kept.rows.n,
		       100.0 * (double)kept.rows.n / (double)(all.rows.n + 1), middle - start, end - middle,
		       kept.unsupported, all.unsupported, count(&kept, LT_RULE_GUESS), count(&all, LT_RULE_GUESS),
		       count(&all, LT_RULE_END), count(&all, LT_RULE_PLT), count(&all, LT_RULE_DEREF),
		       count(&all, LT_RULE_SIGNAL), kept.bad, kept.without_rows ? " (without)" : "");
	if (!err)
		unwind_table__free(&all);
	unwind_table__free(&kept);
	close(m.fd);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		measure(argv[i]);
	return 0;
}
