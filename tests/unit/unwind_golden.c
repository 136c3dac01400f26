/* SPDX-License-Identifier: GPL-2.0-only */
#include <dwarf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "select/module.h"
#include "unwind_golden.h"

enum { RBP = 6, RSP = 7, RIP = 16 };

bool golden__open(struct golden *g, const char *path, bool debug_frame)
{
	g->dwarf = NULL;
	g->fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(g->fd >= 0);
	elf_version(EV_CURRENT);
	g->elf = elf_begin(g->fd, ELF_C_READ_MMAP, NULL);
	assert_non_null(g->elf);
	if (debug_frame) {
		g->dwarf = dwarf_begin_elf(g->elf, DWARF_C_READ, NULL);
		g->cfi = g->dwarf ? dwarf_getcfi(g->dwarf) : NULL;
	} else {
		g->cfi = dwarf_getcfi_elf(g->elf);
	}
	return g->cfi;
}

/* What dwarf_getcfi() gave belongs to the Dwarf. */
void golden__close(struct golden *g)
{
	if (g->dwarf)
		dwarf_end(g->dwarf);
	else if (g->cfi)
		dwarf_cfi_end(g->cfi);
	elf_end(g->elf);
	close(g->fd);
}

/* Where a register is: how many operations say so. 0: same; -1: undefined. */
static int where(Dwarf_Frame *frame, int reg, Dwarf_Op **ops, Dwarf_Op memory[3])
{
	size_t n;

	assert_int_equal(dwarf_frame_register(frame, reg, memory, ops, &n), 0);
	if (n)
		return (int)n;
	return *ops == memory ? -1 : 0;
}

static bool at_cfa_plus(const Dwarf_Op *ops, int n, int64_t *offset)
{
	*offset = n == 2 ? (int64_t)ops[1].number : 0;
	return ops[0].atom == DW_OP_call_frame_cfa && (n == 1 || (n == 2 && ops[1].atom == DW_OP_plus_uconst));
}

static bool is_op(const Dwarf_Op *op, int atom, int64_t number)
{
	return op->atom == atom && (int64_t)op->number == number;
}

/* Registers at an expression: libdw says so with the CFA on its stack. */
static bool is_breg(const Dwarf_Op *ops, int n, int atom, int64_t offset)
{
	return n == 2 && ops[0].atom == DW_OP_call_frame_cfa && is_op(&ops[1], atom, offset);
}

static uint32_t expression_rule(const Dwarf_Op *cfa, size_t n, const Dwarf_Op *fp, int n_fp)
{
	uint32_t bits;

	if (n == 9 && cfa[0].atom == DW_OP_breg7 && is_op(&cfa[1], DW_OP_breg16, 0) && cfa[2].atom == DW_OP_lit15 &&
	    cfa[3].atom == DW_OP_and && cfa[5].atom == DW_OP_ge && cfa[6].atom == DW_OP_lit3 &&
	    cfa[7].atom == DW_OP_shl && cfa[8].atom == DW_OP_plus && !n_fp)
		return lt_rule_pack(LT_RULE_PLT, cfa[4].atom - DW_OP_lit0, (u32)(cfa[0].number / 8));
	if (n < 2 || n > 3 || (cfa[0].atom != DW_OP_breg6 && cfa[0].atom != DW_OP_breg7) || cfa[1].atom != DW_OP_deref)
		return LT_RULE_NONE;
	if ((int64_t)cfa[0].number % 8 || (n == 3 && (cfa[2].atom != DW_OP_plus_uconst || cfa[2].number % 8)))
		return LT_RULE_NONE;
	bits = cfa[0].atom == DW_OP_breg6;
	if (n == 3)
		bits |= (u32)(cfa[2].number / 8) << 2;
	if (is_breg(fp, n_fp, DW_OP_breg6, 0))
		bits |= 2;
	else if (n_fp)
		return LT_RULE_NONE;
	return lt_rule_pack(LT_RULE_DEREF, bits, (u32)((int64_t)cfa[0].number / 8));
}

static uint32_t frame_rule(Dwarf_Frame *frame, bool signal)
{
	Dwarf_Op ra_memory[3], fp_memory[3], *ra, *fp, *cfa;
	int n_ra = where(frame, RIP, &ra, ra_memory), n_fp = where(frame, RBP, &fp, fp_memory);
	int64_t ra_at, fp_at = 0, offset;
	size_t n;

	if (n_ra == -1)
		return LT_RULE_END;
	if (dwarf_frame_cfa(frame, &cfa, &n))
		return GOLDEN_UNKNOWN;
	if (signal)
		return n == 2 && is_op(cfa, DW_OP_breg7, 160) && cfa[1].atom == DW_OP_deref &&
				       is_breg(ra, n_ra, DW_OP_breg7, 168) && is_breg(fp, n_fp, DW_OP_breg7, 120)
			       ? LT_RULE_SIGNAL
			       : LT_RULE_NONE;
	if (n_ra < 1 || !at_cfa_plus(ra, n_ra, &ra_at) || ra_at != -8)
		return LT_RULE_NONE;
	if (n != 1 || cfa[0].atom != DW_OP_bregx)
		return expression_rule(cfa, n, fp, n_fp);
	if (n_fp && (n_fp < 0 || !at_cfa_plus(fp, n_fp, &fp_at) || fp_at % 8 || fp_at > -8 || fp_at < -62 * 8))
		return LT_RULE_NONE;
	offset = (int64_t)cfa[0].number2;
	if ((cfa[0].number != RSP && cfa[0].number != RBP) || offset < 0 || offset % 8 ||
	    offset / 8 > LT_RULE_OFFSET_MAX)
		return LT_RULE_NONE;
	return lt_rule_pack(cfa[0].number == RSP ? LT_RULE_SP : LT_RULE_FP, (u32)(fp_at / -8), (u32)(offset / 8));
}

bool golden__rule(struct golden *g, uint64_t pc, uint32_t *rule, uint64_t *end)
{
	Dwarf_Frame *frame;
	bool signal;

	if (dwarf_cfi_addrframe(g->cfi, pc, &frame))
		return false;
	assert_int_equal(dwarf_frame_info(frame, NULL, end, &signal), RIP);
	assert_true(*end > pc);
	*rule = frame_rule(frame, signal);
	free(frame);
	return true;
}

void build_table(struct unwind_table *t, const char *path, bool every_row)
{
	struct module m = {.path = (char *)path, .fd = open(path, O_RDONLY | O_CLOEXEC), .root_fd = -1};
	const struct unwind_table_options o = {.every_row = every_row};
	int err;

	assert_true(m.fd >= 0);
	err = unwind_table__build(t, &m, &o);
	close(m.fd);
	if (err)
		fail_msg("%s: %s", path, strerror(-err));
}

struct loaded {
	void (*fn)(const char *path);
	int n;
};

static int each_loaded(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct loaded *l = ctx;

	(void)size;
	if (info->dlpi_name[0] == '/') {
		l->fn(info->dlpi_name);
		l->n++;
	}
	return 0;
}

int each_file(void (*fn)(const char *path))
{
	const char *list = getenv("UNWIND_FILES");
	struct loaded l = {.fn = fn};
	char path[PATH_MAX] = "";
	int n = 0;
	FILE *f;

	if (list) {
		f = fopen(list, "r");
		assert_non_null(f);
		for (; fgets(path, sizeof(path), f); n++) {
			path[strcspn(path, "\n")] = '\0';
			fn(path);
		}
		fclose(f);
		return n;
	}
	/* Not /proc/self/exe, which is another file for a program that is started here. */
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	fn(path);
	/* What this program is made of: a C library, its loader, libstdc++ by way of the sanitizers, libelf, ... */
	dl_iterate_phdr(each_loaded, &l);
	if (!access("/usr/bin/python3", R_OK)) {
		fn("/usr/bin/python3");
		l.n++;
	}
	return l.n + 1;
}
