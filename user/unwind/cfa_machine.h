/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cfa_machine: runs the program of an FDE (call frame instructions) and says what holds where.
 *
 *	cfa_machine__start(&m, &section, &fde);
 *	while (cfa_machine__next(&m))
 *		... m.state holds in [m.from, m.to)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "unwind/cfi.h"
#include "unwind/reader.h"

#define CFA_MAX_REMEMBERED 64 /* states; compilers nest two */

struct cfa_machine {
	uint64_t from, to;
	struct cfi_state state; /* CFI_CFA_NONE after an instruction that makes no sense, up to the FDE's end */
	bool failed;		/* there was one */

	/* Its own. */
	uint64_t end;
	const struct cfi_cie *cie;
	const struct cfi_section *section;
	struct reader program;
	unsigned int n_remembered;
	struct cfi_state remembered[CFA_MAX_REMEMBERED];
};

/* Runs the CIE's program, too, if that was not done yet. */
void cfa_machine__start(struct cfa_machine *m, struct cfi_section *s, const struct cfi_fde *fde);

/* False at the end of the FDE's code. States that hold nowhere are left out; two in a row may be equal. */
bool cfa_machine__next(struct cfa_machine *m);
