/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * insn: one x86-64 instruction, as far as placing probes needs it: where it leads, what it changes, and whether the
 * kernel emulates it under a uprobe or has to single-step a copy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX_BYTES 15
#define INSN_NO_REG    0xff

/* General registers as the instruction set numbers them: rax 0, rcx, rdx, rbx, rsp 4, rbp, rsi, rdi, r8 … r15. */
enum {
	GPR_RAX = 0,
	GPR_RCX = 1,
	GPR_RDX = 2,
	GPR_RBX = 3,
	GPR_RSP = 4,
	GPR_RBP = 5,
	GPR_RSI = 6,
	GPR_RDI = 7,
	GPR_R8 = 8,
};

/* The register of integer argument n, from 0 (System V ABI, AMD64, 3.2.3); INSN_NO_REG for those on the stack. */
uint8_t insn__argument(unsigned int n);

enum insn_flow {
	INSN_NEXT,	    /* on to the next instruction */
	INSN_BRANCH,	    /* a conditional jump */
	INSN_JUMP,	    /* a jump to a known place */
	INSN_JUMP_POINTER,  /* a jump by a pointer in memory at a fixed place (PLT, GOT, a hook): to a function */
	INSN_JUMP_ANYWHERE, /* a jump by register or table */
	INSN_CALL,
	INSN_RETURN,
	INSN_END, /* ud2, hlt, int3: nothing goes on */
};

struct insn {
	uint8_t length;
	enum insn_flow flow;
	uint64_t target;  /* of BRANCH, JUMP, and of a direct CALL; else 0 */
	uint64_t pointer; /* of JUMP_POINTER, and of a CALL by a word at a fixed address: where that is; else 0 */
	bool is_nop;	  /* of any length: padding */
	bool emulated;	  /* arch/x86/kernel/uprobes.c: branch_setup_xol_ops(), push_setup_xol_ops() */
	uint32_t writes;  /* registers, one bit each */
	uint8_t copy_of;  /* "mov %a, %b" with all 64 bits: a; else INSN_NO_REG */
	uint8_t copy_to;  /* and b */
	uint32_t reads;	  /* registers, also as parts of an address */
	bool indexed;	  /* it reads memory, or makes an address, by an index */
	bool loads;	  /* "mov …, %r" from memory without an index, all 64 bits */
	bool moves_sp;	  /* the stack pointer changes… */
	bool sp_known;	  /* …by this many bytes */
	int32_t sp_moves; /* negative: down */
	uint8_t tests;	  /* "test %r, %r" with all 64 bits: this register; else INSN_NO_REG */
	bool if_zero;	  /* a BRANCH taken when the result was zero */
};

/* Decode the instruction at bytes[0..n), which has this address. False: it is none. */
bool insn__decode(struct insn *i, const unsigned char *bytes, size_t n, uint64_t vaddr);

/* Its text in AT&T syntax into buf[size]; "?" when it is none. Returns buf. */
char *insn__text(const unsigned char *bytes, size_t n, uint64_t vaddr, char *buf, size_t size);
