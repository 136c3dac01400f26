/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cfi: the entries of an .eh_frame or .debug_frame section (LSB Core 5.0, chapter 10.6; DWARF 5, 6.4): what is common
 * to many functions (CIE) and what is a function's own (FDE). Their programs are run by cfa_machine.
 *
 * The section is hostile: offsets are checked, and all that is interpreted is counted, so that entries that overlap
 * cannot make a small file take long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CFI_CACHED_CIES 64

/* How to find one of the caller's registers. */
enum cfi_how {
	CFI_UNSPECIFIED = 0, /* as the ABI says */
	CFI_SAME,
	CFI_UNDEFINED,
	CFI_OFFSET,	    /* in memory at cfa + offset */
	CFI_VAL_OFFSET,	    /* cfa + offset */
	CFI_REGISTER,	    /* in another register */
	CFI_EXPRESSION,	    /* in memory at the expression's value */
	CFI_VAL_EXPRESSION, /* the expression's value */
};

struct cfi_rule {
	enum cfi_how how;
	uint32_t size; /* of the expression */
	union {
		int64_t offset;
		const uint8_t *expression; /* in the section's bytes */
	};
};

/* Those that matter, by their place in cfi_state. */
enum cfi_register { CFI_FP, CFI_SP, CFI_RA, CFI_REGISTERS };

enum cfi_cfa_how {
	CFI_CFA_NONE = 0, /* not defined, or by instructions that make no sense */
	CFI_CFA_REGISTER, /* register + offset */
	CFI_CFA_EXPRESSION,
};

/* What holds for some instructions: as much of it as walking needs. */
struct cfi_state {
	enum cfi_cfa_how cfa;
	uint32_t size; /* of the expression */
	uint64_t reg;
	int64_t offset;
	const uint8_t *expression;
	struct cfi_rule regs[CFI_REGISTERS];
};

struct cfi_program {
	const uint8_t *bytes;
	size_t n;
};

struct cfi_cie {
	size_t at; /* offset in the section */
	bool valid;
	bool sized; /* FDEs have augmentation data, after its size */
	bool signal;
	bool ran;    /* initial is the state after the program; else it was not run yet */
	bool broken; /* its program makes no sense */
	uint8_t encoding;
	uint64_t code_factor;
	int64_t data_factor;
	struct cfi_program program;
	struct cfi_state initial;
};

struct cfi_fde {
	struct cfi_cie *cie; /* until the next cfi_section__entry() */
	uint64_t start, end; /* addresses in the file; start < end */
	struct cfi_program program;
};

struct cfi_section {
	const uint8_t *bytes;
	size_t n;	  /* less than 4 GiB */
	uint64_t address; /* of bytes[0] in the file; 0 for .debug_frame */
	bool debug_frame;
	uint64_t work; /* bytes looked at so far: for the caller to limit */
	struct cfi_cie cies[CFI_CACHED_CIES];
};

enum cfi_entry {
	CFI_END,     /* nothing can be read here or after it */
	CFI_NOTHING, /* a CIE, a terminator, an FDE of no code */
	CFI_BAD,     /* it makes no sense */
	CFI_FDE,
};

/* Look at the entry at offset `at`. *next is the offset of the one behind it, unless this is CFI_END. */
enum cfi_entry cfi_section__entry(struct cfi_section *s, size_t at, struct cfi_fde *fde, size_t *next);

/* The value of a pointer that is encoded so (DW_EH_PE_*), `data` being what DW_EH_PE_datarel counts from. */
struct reader;
bool cfi__pointer(struct reader *r, uint8_t encoding, uint64_t address_of_value, const uint64_t *data, uint64_t *value);
