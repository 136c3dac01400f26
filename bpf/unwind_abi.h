/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unwind_abi: the unwind tables as user space writes them and the walker reads them. Included by both sides.
 *
 *	spaces[slot's space] ──► mappings[first .. first + n)        by start address, each up to the start of the next
 *	                              │ file with a table
 *	                              ▼
 *	                         rows[first .. first + n)            by pc, each up to the pc of the next
 *
 * A table belongs to a file and is shared by all processes that map it: its pcs are the file's own addresses minus
 * those of its mapping's bias. Rows that no return address can hit are left out (see user/unwind/table.h), so a table
 * is a few percent of the file's .eh_frame.
 */
#pragma once

#include "abi.h"

/*
 * What holds from pc on. A rule packs into 32 bits:
 *
 *	bits 0-2	enum lt_rule_type
 *	bits 3-8	SP, FP: the caller's frame pointer was saved at cfa - 8 * this; 0: it was not touched
 *			PLT: the offset grows by 8 from this byte of a 16-byte entry on
 *			DEREF: bit 3 base (0 sp, 1 fp), bit 4 the caller's frame pointer is *(fp), bits 5-8 added * 8
 *			after the load
 *	bits 9-30	SP, FP, PLT: offset / 8, unsigned; DEREF: offset / 8, signed
 *	bit 31		LT_RULE_INEXACT
 *
 * The return address is at cfa - 8 in all of them, but for END, SIGNAL and NONE.
 */
struct lt_row {
	u32 pc;
	u32 rule;
};

enum lt_rule_type {
	LT_RULE_NONE = 0,   /* nothing that fits here: user space finishes the walk */
	LT_RULE_SP = 1,	    /* cfa = sp + offset */
	LT_RULE_FP = 2,	    /* cfa = fp + offset */
	LT_RULE_END = 3,    /* the outermost frame: the return address is undefined */
	LT_RULE_PLT = 4,    /* cfa = sp + offset, + 8 in the later part of the entry */
	LT_RULE_DEREF = 5,  /* cfa = *(base + offset) + added */
	LT_RULE_SIGNAL = 6, /* a signal frame: all registers lie on the stack */
	LT_RULE_GUESS = 7,  /* no unwind information: a frame pointer is assumed and its frame checked */
};

/* Rows with other rules were left out behind this one: right for return addresses, not for an interrupted pc. */
#define LT_RULE_INEXACT (1u << 31)

#define LT_RULE_SAVED_BITS  6
#define LT_RULE_OFFSET_BITS 22
#define LT_RULE_OFFSET_MAX  ((1u << LT_RULE_OFFSET_BITS) - 1) /* in units of 8 bytes: 32 MiB */

static inline u32 lt_rule_pack(enum lt_rule_type type, u32 saved, u32 offset8)
{
	return type | (saved & ((1u << LT_RULE_SAVED_BITS) - 1)) << 3 | (offset8 & LT_RULE_OFFSET_MAX) << 9;
}

static inline u32 lt_rule_type(u32 rule)
{
	return rule & 7;
}

static inline u32 lt_rule_saved(u32 rule)
{
	return rule >> 3 & ((1u << LT_RULE_SAVED_BITS) - 1);
}

/* In bytes. */
static inline u64 lt_rule_offset(u32 rule)
{
	return (u64)(rule >> 9 & LT_RULE_OFFSET_MAX) << 3;
}

/* Of DEREF, in bytes. */
static inline s64 lt_rule_signed_offset(u32 rule)
{
	return (s64)((s32)(rule << 1) >> 10) * 8;
}

/* What executable memory from `start` up to the next one's start is. */
struct lt_mapping {
	u64 start;
	u64 bias;  /* run-time address minus row pc */
	u32 first; /* of its rows */
	u32 n;	   /* 0: no rows */
	u32 file;  /* number of its file; frames of equal (file, pc - bias) are the same place; 0: no file */
	u32 kind;  /* enum lt_mapping_kind */
};

enum lt_mapping_kind {
	LT_MAPPING_HOLE = 0,  /* nothing executable, as far as user space knows */
	LT_MAPPING_TABLE = 1, /* a file with a table */
	LT_MAPPING_PLAIN = 2, /* executable, without unwind information: JIT code, a file without .eh_frame */
	LT_MAPPING_FULL = 3,  /* a file whose table did not find room: user space finishes the walk */
	LT_MAPPING_VDSO = 4,  /* as TABLE, but the kernel maps it without a file; it is never unmapped */
};

/*
 * The same of a file, wherever it may be mapped: for what the loader has mapped since user space last looked, and for
 * the time when mappings are in doubt, the kernel itself is asked what lies at a pc.
 */
struct lt_file_key {
	u64 inode;
	u64 device; /* as the kernel numbers them: major << 20 | minor */
};

/* An executable segment. */
struct lt_segment {
	u64 offset, size; /* in the file, from the start of its first page */
	u64 bias;	  /* offset minus row pc */
};

#define LT_FILE_SEGMENTS 4

struct lt_file {
	u32 file;	/* number, as in struct lt_mapping */
	u32 first, n;	/* rows */
	u32 n_segments; /* 0: it has no rows, a pc is an offset */
	struct lt_segment segments[LT_FILE_SEGMENTS];
};

#define LT_MAX_FILES 4096

/*
 * The mappings of one address space. User space writes new ones elsewhere and then changes `range`; the walker reads
 * `stale` first. While fresh differs from stale they are in doubt, and the kernel is asked for each frame.
 */
struct lt_space {
	u64 range;	/* first mapping, and (from bit 32 on) their number: one word, so that both change at once */
	u32 generation; /* counts changes of range; key of the return-address cache */
	u32 fresh;	/* `stale` as it was before the mappings behind `range` were read */
	u32 stale; /* the kernel side counts here what may have made them wrong: a library is about to be unmapped */
	u32 link_state; /* of the loader's last notice, enum lt_link_state */
	u32 has_plain;	/* executable memory without a file is among them: a library may come to lie where some was */
	u32 pad;
};

/* r_state of <link.h>. */
enum lt_link_state { LT_LINK_CONSISTENT = 0, LT_LINK_ADD = 1, LT_LINK_DELETE = 2, LT_LINK_UNKNOWN = 3 };

#define LT_MAX_SPACES	1024
#define LT_MAX_MAPPINGS (1u << 15)

/* How a walk ended. Each has a counter, from LT_CNT_ENDS on; WHOLE is not counted. */
enum lt_stack_end {
	LT_END_WHOLE = 0, /* at the outermost frame */
	LT_END_DEEP = 1,  /* deeper than LT_MAX_FRAMES */
	LT_END_UNMAPPED =
		2, /* a pc in no mapping that user space knows: a library that was just loaded, a new JIT page */
	LT_END_NO_RULE = 3,	/* unwind information of a kind that has no row */
	LT_END_SIGNAL = 4,	/* an interrupted pc between two rows */
	LT_END_STALE = 5,	/* the mappings were changing */
	LT_END_UNREADABLE = 6,	/* a stack word could not be read: not resident */
	LT_END_IMPLAUSIBLE = 7, /* a guessed frame, or one that leads out of the stack */
	LT_END_MAX = 8,
};

#define LT_STACK_GUESSED 1 /* flags: some frame was found by an assumed frame pointer */

LT_ASSERT_SIZE(struct lt_row, 8);
LT_ASSERT_SIZE(struct lt_mapping, 32);
LT_ASSERT_SIZE(struct lt_file_key, 16);
LT_ASSERT_SIZE(struct lt_file, 16 + 24 * LT_FILE_SEGMENTS);
LT_ASSERT_SIZE(struct lt_space, 32);
