/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables of real files: rule by rule what libdw says, and complete for every call that objdump finds. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gelf.h>

#include "base/cleanup.h"
#include "unwind_golden.h"

#define PADDING	     15
#define MAX_REPORTED 5

static int differences;

static void differ(const char *path, uint64_t pc, const char *what, uint32_t mine, uint32_t golden)
{
	if (++differences <= MAX_REPORTED)
		print_error("%s: %#" PRIx64 ": %s: %#x, libdw %#x\n", path, pc, what, mine, golden);
}

/* The code that a process begins with, where libdw knows nothing of it. */
static bool is_start(const struct golden *g, uint64_t pc, uint64_t end)
{
	GElf_Ehdr eh;

	return gelf_getehdr(g->elf, &eh) && pc == eh.e_entry && end <= eh.e_entry + 256;
}

/* One row of the full table: all that libdw knows about its code is the same, but for short gaps in it. */
static void compare_row(struct golden *g, const char *path, uint64_t pc, uint64_t end, uint32_t rule)
{
	uint64_t start = pc, next, covered = pc;
	uint32_t golden;

	while (pc < end) {
		if (!golden__rule(g, pc, &golden, &next)) {
			if (lt_rule_type(rule) == LT_RULE_GUESS || (rule == LT_RULE_SIGNAL && end - pc <= 10))
				return;
			/* A function that nothing calls is entered at its first byte, and looked up at the one before.
			 */
			if (rule == LT_RULE_END && is_start(g, pc, end))
				return;
			if (rule == LT_RULE_END && pc == start && end > pc + 1 &&
			    golden__rule(g, pc + 1, &golden, &next)) {
				covered = ++pc;
				continue;
			}
			if (pc - covered >= PADDING)
				return differ(path, pc, "code that libdw does not know", rule, 0);
			pc++;
			continue;
		}
		if (golden != rule && golden != GOLDEN_UNKNOWN)
			return differ(path, pc, pc == start ? "another rule" : "another rule in the middle", rule,
				      golden);
		covered = pc = next;
	}
}

static void same_rules_as_libdw_in(const char *path)
{
	struct unwind_table t;
	struct golden g;
	size_t i;

	build_table(&t, path, true);
	if (!golden__open(&g, path, false)) {
		if (t.rows.n)
			differ(path, 0, "libdw has no unwind information", 0, 0);
	} else if (t.without_rows) {
		print_message("%s: no rows\n", path);
	} else {
		if (t.bad)
			differ(path, 0, "entries that make no sense", t.bad, 0);
		/* The last row is the end of the code. */
		for (i = 0; i + 1 < t.rows.n; i++)
			if (t.rows.at[i].rule != LT_RULE_NONE || t.rows.at[i + 1].pc - t.rows.at[i].pc < 4096)
				compare_row(&g, path, t.base + t.rows.at[i].pc, t.base + t.rows.at[i + 1].pc,
					    t.rows.at[i].rule);
	}
	golden__close(&g);
	unwind_table__free(&t);
}

static void same_rules_as_libdw(void **state)
{
	(void)state;
	differences = 0;
	assert_true(each_file(same_rules_as_libdw_in) > 3);
	assert_int_equal(differences, 0);
}

static void check_return_address(const char *path, const struct unwind_table *full, const struct unwind_table *kept,
				 uint64_t ra)
{
	const struct lt_row *a = unwind_table__find(full, ra - 1), *b = unwind_table__find(kept, ra - 1);

	if (!a || !b || a->rule != (b->rule & ~LT_RULE_INEXACT))
		differ(path, ra, "a return address with another rule", b ? b->rule : 0, a ? a->rule : 0);
}

/* Rows are left out of the one that are in the other; what is left says so. */
static void check_marks(const char *path, const struct unwind_table *full, const struct unwind_table *kept)
{
	const struct lt_row *f = full->rows.at, *end = f + full->rows.n;
	size_t i;

	for (i = 0; i < kept->rows.n; i++) {
		const struct lt_row *row = &kept->rows.at[i];
		bool lost = false, more = i + 1 < kept->rows.n;

		for (; f < end && (!more || f->pc < row[1].pc); f++)
			lost |= f->pc >= row->pc && f->rule != (row->rule & ~LT_RULE_INEXACT);
		if (lost != !!(row->rule & LT_RULE_INEXACT))
			differ(path, kept->base + row->pc, "a wrong mark", row->rule, lost);
	}
}

static void calls_have_their_rules_in(const char *path)
{
	struct unwind_table full, kept;
	__cleanup_free char *line = NULL;
	char command[4200];
	bool after_call = false;
	size_t room = 0;
	long calls = 0;
	FILE *f;

	build_table(&full, path, true);
	build_table(&kept, path, false);
	check_marks(path, &full, &kept);
	snprintf(command, sizeof(command), "objdump -d -z -w --no-show-raw-insn '%s'", path);
	f = popen(command, "r");
	assert_non_null(f);
	while (!full.without_rows && getline(&line, &room, f) > 0) {
		char *colon = strchr(line, ':');

		/* A call that ends a section returns to nothing that is shown here. */
		if (!strncmp(line, "Disassembly", strlen("Disassembly")))
			after_call = false;
		if (line[0] != ' ' || !colon)
			continue;
		if (after_call) {
			check_return_address(path, &full, &kept, strtoull(line, NULL, 16));
			calls++;
		}
		after_call = strstr(colon, "\tcall") || strstr(colon, " call");
	}
	while (getline(&line, &room, f) > 0)
		;
	assert_int_equal(pclose(f), 0);
	print_message("%s: %ld calls, %zu of %zu rows\n", path, calls, kept.rows.n, full.rows.n);
	unwind_table__free(&full);
	unwind_table__free(&kept);
}

static void calls_have_their_rules(void **state)
{
	(void)state;
	if (system("command -v objdump >/dev/null"))
		skip();
	differences = 0;
	assert_true(each_file(calls_have_their_rules_in) > 3);
	assert_int_equal(differences, 0);
}

/* An argument chooses tests by their name. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_rules_as_libdw),
		cmocka_unit_test(calls_have_their_rules),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
