/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walk_x86: what of a walk is particular to x86-64: one step, from a frame's registers and its rule to those of its
 * caller; and the registers that user space needs to walk by itself.
 */
#pragma once

#include "maps.h"

/* struct rt_sigframe lies at the stack pointer of a signal frame: siginfo pointer and ucontext head take 40 bytes, then
 * struct sigcontext_64 (arch/x86/include/uapi/asm/sigcontext.h). */
#define SIGCONTEXT_FP (40 + 80)
#define SIGCONTEXT_SP (40 + 120)
#define SIGCONTEXT_IP (40 + 128)

/* A stack of more than this between two frames is no guess that anyone should trust. */
#define GUESS_SPAN (1u << 20)

static __always_inline int step_signal(struct walk *w)
{
	u64 context[(SIGCONTEXT_IP - SIGCONTEXT_FP) / sizeof(u64) + 1];

	if (bpf_probe_read_user(context, sizeof(context), (void *)(w->sp + SIGCONTEXT_FP)))
		return LT_END_UNREADABLE;
	w->fp = context[0];
	w->sp = context[(SIGCONTEXT_SP - SIGCONTEXT_FP) / sizeof(u64)];
	w->ip = context[(SIGCONTEXT_IP - SIGCONTEXT_FP) / sizeof(u64)];
	w->after_call = 0;
	return 0;
}

/* Read the return address, and the saved frame pointer `saved` words below the cfa. Mostly they are near: one read. */
static __always_inline int step_to(struct walk *w, u64 cfa, u32 saved)
{
	u64 words[6];

	if (saved == 2) {
		if (bpf_probe_read_user(&words[4], 2 * sizeof(u64), (void *)(cfa - 2 * sizeof(u64))))
			return LT_END_UNREADABLE;
		w->fp = words[4];
	} else if (saved > 2 && saved <= 6) {
		if (bpf_probe_read_user(words, sizeof(words), (void *)(cfa - sizeof(words))))
			return LT_END_UNREADABLE;
		w->fp = saved == 6 ? words[0] : saved == 5 ? words[1] : saved == 4 ? words[2] : words[3];
	} else {
		if (bpf_probe_read_user(&words[5], sizeof(u64), (void *)(cfa - sizeof(u64))))
			return LT_END_UNREADABLE;
		if (saved && bpf_probe_read_user(&w->fp, sizeof(u64), (void *)(cfa - saved * sizeof(u64))))
			return LT_END_UNREADABLE;
	}
	w->ip = words[5];
	w->sp = cfa;
	w->after_call = 1;
	return 0;
}

static __always_inline int step_deref(struct walk *w)
{
	u32 how = lt_rule_saved(w->rule);
	u64 base = how & 1 ? w->fp : w->sp, cfa;

	if (bpf_probe_read_user(&cfa, sizeof(cfa), (void *)(base + lt_rule_signed_offset(w->rule))))
		return LT_END_UNREADABLE;
	if (how & 2 && bpf_probe_read_user(&w->fp, sizeof(u64), (void *)w->fp))
		return LT_END_UNREADABLE;
	return step_to(w, cfa + (how >> 2) * sizeof(u64), 0);
}

/*
 * The ABI ends a chain of frame pointers with zero (System V ABI, AMD64, 3.4.1). Where no chain has led here, zero is
 * no more than a common value of a register.
 */
static __always_inline int step_guess(struct task_state *ts, struct walk *w, bool in_chain)
{
	int err;

	if (!w->fp && in_chain)
		return -1;
	if (w->fp & 7 || w->fp < w->sp || w->fp - w->sp > GUESS_SPAN)
		return LT_END_IMPLAUSIBLE;
	err = step_to(w, w->fp + 2 * sizeof(u64), 2);
	if (err)
		return err;
	w->guessed = 1;
	ts->stack.flags |= LT_STACK_GUESSED;
	return 0;
}

/* 0: w is the caller now. -1: there is none. Else enum lt_stack_end. */
static __always_inline int step_arch(struct task_state *ts, struct walk *w, u64 pc)
{
	u32 type = lt_rule_type(w->rule);
	u64 offset = lt_rule_offset(w->rule);
	bool in_chain = w->guessed;

	w->guessed = 0;
	switch (type) {
	case LT_RULE_SP:
		return step_to(w, w->sp + offset, lt_rule_saved(w->rule));
	case LT_RULE_FP:
		return step_to(w, w->fp + offset, lt_rule_saved(w->rule));
	case LT_RULE_PLT:
		return step_to(w, w->sp + offset + ((pc & 15) >= lt_rule_saved(w->rule) ? sizeof(u64) : 0), 0);
	case LT_RULE_DEREF:
		return step_deref(w);
	case LT_RULE_SIGNAL:
		return step_signal(w);
	case LT_RULE_GUESS:
		return step_guess(ts, w, in_chain);
	case LT_RULE_END:
		return -1;
	default:
		return LT_END_NO_RULE;
	}
}

/* As the instruction set numbers them (Intel SDM, volume 2, 3.1.1.1). */
#define REGISTERS_BY_NUMBER(ctx)                                                                                       \
	{                                                                                                              \
		(ctx)->ax, (ctx)->cx, (ctx)->dx, (ctx)->bx, (ctx)->sp, (ctx)->bp, (ctx)->si, (ctx)->di, (ctx)->r8,     \
			(ctx)->r9, (ctx)->r10, (ctx)->r11, (ctx)->r12, (ctx)->r13, (ctx)->r14, (ctx)->r15              \
	}

/* Registers in the order of their DWARF numbers (System V ABI, AMD64, figure 3.36). */
static __always_inline void copy_registers(struct lt_rec_partial *out, struct pt_regs *ctx)
{
	u64 regs[LT_PARTIAL_REGS] = {ctx->ax,  ctx->dx,	 ctx->cx,  ctx->bx,  ctx->si,  ctx->di,
				     ctx->bp,  ctx->sp,	 ctx->r8,  ctx->r9,  ctx->r10, ctx->r11,
				     ctx->r12, ctx->r13, ctx->r14, ctx->r15, ctx->ip};

	__builtin_memcpy(out->regs, regs, sizeof(regs));
}
