/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * arch_x86_64: x86-64 in numbers (System V psABI 1.0): DWARF's registers, frames, signal frames. Included by arch.h
 * only.
 */
#pragma once

#include <elf.h>
#include <stdint.h>

#define ARCH_MACHINE	EM_X86_64
#define ARCH_WORD	8
#define ARCH_FP		6  /* rbp */
#define ARCH_SP		7  /* rsp */
#define ARCH_PC		16 /* the column of the return address */
#define ARCH_REGISTERS	17
#define ARCH_MAX_COLUMN 255 /* none that a compiler writes rules for is beyond (AVX-512 masks end at 125) */
#define ARCH_PAGE	4096

/* Where `push %rbp; mov %rsp, %rbp` leaves things, from the frame pointer on. */
#define ARCH_FRAME_FP	0
#define ARCH_FRAME_PC	8
#define ARCH_FRAME_SIZE 16

/*
 * The code that a signal handler returns to: mov $15, %rax; syscall. musl's has no unwind information; debuggers go by
 * these bytes, which never change for that reason.
 */
static const uint8_t arch_sigreturn[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};

/* With the stack pointer at the ucontext: its uc_mcontext, and the DWARF numbers of the words there. */
#define ARCH_SIGCONTEXT 40
static const uint8_t arch_sigcontext[ARCH_REGISTERS] = {8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16};
