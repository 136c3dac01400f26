/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "select/mappings.h"
#include "unwind/cfi_files.h"
#include "unwind/dwarf_expr.h"
#include "unwind/finish.h"
#include "unwind/arch.h"

/* Of a guessed frame: larger ones are no frames of code without unwind information. */
#define MAX_GUESSED_FRAME (1u << 20)

/* A step that leads on to another frame. */
#define NO_END LT_END_MAX

struct finisher {
	struct cfi_files files;
};

struct walk {
	struct finisher *f;
	const struct mappings *m;
	const struct stack_copy *copy;
	uint64_t regs[ARCH_REGISTERS];
	uint32_t known; /* bit n: regs[n] has a value */
	bool exact;	/* the pc is not behind a call */
	bool guessed;	/* the frame was found by a guess */
	bool any_guessed;
};

struct finisher *finisher__new(void)
{
	struct finisher *f = malloc(sizeof(*f));

	if (f)
		cfi_files__init(&f->files);
	return f;
}

void finisher__free(struct finisher *f)
{
	if (!f)
		return;
	cfi_files__free(&f->files);
	free(f);
}

/* Where a copied word has been replaced, what it was is meant, also by who reads a part of it. */
static void undo_replaced(const struct stack_copy *copy, uint64_t address, unsigned int size, uint8_t *bytes)
{
	unsigned int i, j;

	for (i = 0; i < copy->n_replaced; i++) {
		const struct lt_replaced *r = &copy->replaced[i];

		for (j = 0; j < size; j++) {
			uint64_t into = address + j - r->at;

			if (into < sizeof(r->was))
				bytes[j] = (uint8_t)(r->was >> 8 * into);
		}
	}
}

/* dwarf_expr_input.read */
static bool read_copy(void *ctx, uint64_t address, unsigned int size, uint64_t *out)
{
	const struct stack_copy *copy = ((const struct walk *)ctx)->copy;
	uint8_t bytes[ARCH_WORD] = {};
	unsigned int i;

	for (i = 0; i < copy->n_parts; i++) {
		const struct stack_part *part = &copy->parts[i];
		uint64_t into = address - part->at;

		if (into > part->size || part->size - into < size)
			continue;
		memcpy(bytes, (const char *)part->bytes + into, size);
		undo_replaced(copy, address, size, bytes);
		memcpy(out, bytes, sizeof(*out));
		return true;
	}
	return false;
}

static bool read_word(struct walk *w, uint64_t address, uint64_t *out)
{
	return read_copy(w, address, ARCH_WORD, out);
}

static bool is_known(const struct walk *w, unsigned int reg)
{
	return w->known >> reg & 1;
}

static enum lt_stack_end end_of(enum dwarf_expr_end end)
{
	if (end == DWARF_EXPR_UNREADABLE)
		return LT_END_UNREADABLE;
	return end ? LT_END_NO_RULE : NO_END;
}

/* The canonical frame address: what the stack pointer was before the call. */
static enum lt_stack_end find_cfa(struct walk *w, Dwarf_Frame *frame, bool signal, struct dwarf_expr_input *in)
{
	struct dwarf_expr_result r;
	enum dwarf_expr_end end;
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_frame_cfa(frame, &ops, &n) || !n)
		return LT_END_NO_RULE;
	end = dwarf_expr__eval(ops, n, in, &r);
	if (end)
		return end_of(end);
	if (r.kind == DWARF_EXPR_REGISTER)
		return LT_END_NO_RULE;
	/* A signal may have led to another stack. */
	if (!signal && (r.value <= w->regs[ARCH_SP] || r.value % ARCH_WORD))
		return LT_END_IMPLAUSIBLE;
	in->has_cfa = true;
	in->cfa = r.value;
	return NO_END;
}

/* The caller's value of a register into next. What cannot be had is unknown, which matters only if it is asked for. */
static enum lt_stack_end recover(struct walk *w, Dwarf_Frame *frame, unsigned int reg,
				 const struct dwarf_expr_input *in, struct walk *next)
{
	enum dwarf_expr_end end;
	Dwarf_Op mem[3], *ops;
	uint64_t value;
	size_t n;

	if (dwarf_frame_register(frame, (int)reg, mem, &ops, &n))
		return LT_END_NO_RULE;
	if (!n && reg == ARCH_SP) {
		value = in->cfa;
	} else if (!n && reg == ARCH_PC) {
		return ops ? LT_END_WHOLE : LT_END_NO_RULE;
	} else if (!n) {
		if (ops || !is_known(w, reg))
			return LT_END_NO_RULE;
		value = w->regs[reg];
	} else {
		end = dwarf_expr__value(ops, n, in, &value);
		if (end)
			return end_of(end);
	}
	next->regs[reg] = value;
	next->known |= 1u << reg;
	return NO_END;
}

static enum lt_stack_end step_by_rules(struct walk *w, Dwarf_Frame *frame)
{
	struct dwarf_expr_input in = {
		.regs = w->regs, .known = w->known, .n_regs = ARCH_REGISTERS, .read = read_copy, .ctx = w};
	struct walk next = *w;
	enum lt_stack_end end;
	unsigned int reg;
	bool signal;

	if (dwarf_frame_info(frame, NULL, NULL, &signal) != ARCH_PC)
		return LT_END_NO_RULE;
	end = find_cfa(w, frame, signal, &in);
	if (end != NO_END)
		return end;
	next.known = 0;
	end = recover(w, frame, ARCH_PC, &in, &next);
	if (end != NO_END)
		return end;
	for (reg = 0; reg < ARCH_PC; reg++)
		recover(w, frame, reg, &in, &next);
	next.exact = signal;
	next.guessed = false;
	*w = next;
	return NO_END;
}

/* Unwind information is missing where a signal handler returns to. */
static enum lt_stack_end step_by_sigcontext(struct walk *w)
{
	uint64_t at = w->regs[ARCH_SP] + ARCH_SIGCONTEXT;
	unsigned int i;

	if (!is_known(w, ARCH_SP))
		return LT_END_NO_RULE;
	for (i = 0; i < ARCH_REGISTERS; i++, at += ARCH_WORD) {
		if (!read_word(w, at, &w->regs[arch_sigcontext[i]]))
			return LT_END_UNREADABLE;
	}
	w->known = (1u << ARCH_REGISTERS) - 1;
	w->exact = true;
	w->guessed = false;
	return NO_END;
}

static enum lt_stack_end step_by_guess(struct walk *w)
{
	uint64_t fp = w->regs[ARCH_FP], sp = w->regs[ARCH_SP], caller_fp, pc;

	if (!is_known(w, ARCH_FP) || !is_known(w, ARCH_SP))
		return LT_END_IMPLAUSIBLE;
	/* The ABI has 0 in the outermost frame. Otherwise it is no more than a common value of a register. */
	if (!fp && w->guessed)
		return LT_END_WHOLE;
	if (fp < sp || fp - sp >= MAX_GUESSED_FRAME || fp % ARCH_WORD)
		return LT_END_IMPLAUSIBLE;
	if (!read_word(w, fp + ARCH_FRAME_FP, &caller_fp) || !read_word(w, fp + ARCH_FRAME_PC, &pc))
		return LT_END_UNREADABLE;
	if (pc && !mappings__find(w->m, pc - 1))
		return LT_END_IMPLAUSIBLE;
	w->regs[ARCH_FP] = caller_fp;
	w->regs[ARCH_SP] = fp + ARCH_FRAME_SIZE;
	w->regs[ARCH_PC] = pc;
	w->known = 1u << ARCH_FP | 1u << ARCH_SP | 1u << ARCH_PC;
	w->exact = false;
	w->guessed = w->any_guessed = true;
	return NO_END;
}

static bool is_sigreturn(const struct module *module, uint64_t offset)
{
	uint8_t code[sizeof(arch_sigreturn)];

	return pread(module->fd, code, sizeof(code), (off_t)offset) == (ssize_t)sizeof(code) &&
	       !memcmp(code, arch_sigreturn, sizeof(code));
}

static enum lt_stack_end step(struct walk *w)
{
	uint64_t pc = w->regs[ARCH_PC], look = pc - !w->exact, address;
	const struct mapping *before = mappings__find(w->m, look), *at = before ? before : mappings__find(w->m, pc);
	enum cfi_found found = CFI_GAP;
	enum lt_stack_end end;
	struct cfi_file *file;
	Dwarf_Frame *frame;

	if (!at)
		return LT_END_UNMAPPED;
	if (!before)
		look = pc;
	if (!at->module || at->module->fd < 0)
		return step_by_guess(w);
	file = cfi_files__get(&w->f->files, at->module);
	if (!file)
		return LT_END_NO_RULE;
	if (cfi_file__address(file, look - at->start + at->offset, &address))
		found = cfi_file__frame(file, address, &frame);
	/* Nothing before pc: no call has returned here, the function was entered so, as by makecontext(). */
	if (found == CFI_GAP && !w->exact && cfi_file__address(file, pc - at->start + at->offset, &address))
		found = cfi_file__frame(file, address, &frame);
	if (found == CFI_REFUSED)
		return LT_END_NO_RULE;
	if (found == CFI_GAP)
		return is_sigreturn(at->module, pc - at->start + at->offset) ? step_by_sigcontext(w) : step_by_guess(w);
	end = step_by_rules(w, frame);
	free(frame);
	return end;
}

/* At the first instruction of a function there is nothing on the stack but the return address. */
static enum lt_stack_end step_from_entry(struct walk *w)
{
	if (!read_word(w, w->regs[ARCH_SP], &w->regs[ARCH_PC]))
		return LT_END_UNREADABLE;
	w->regs[ARCH_SP] += ARCH_WORD;
	w->exact = false;
	return NO_END;
}

enum lt_stack_end finisher__walk(struct finisher *f, const struct mappings *m, const struct stack_copy *copy,
				 uint64_t *pcs, bool *interrupted, unsigned int max, unsigned int *n,
				 unsigned int *flags)
{
	struct walk w = {.f = f, .m = m, .copy = copy, .known = (1u << ARCH_REGISTERS) - 1, .exact = true};
	enum lt_stack_end end;

	*n = *flags = 0;
	if (copy->n_regs < ARCH_REGISTERS)
		return LT_END_UNREADABLE;
	memcpy(w.regs, copy->regs, sizeof(w.regs));
	do {
		if (*n && !w.regs[ARCH_PC]) {
			end = w.guessed ? LT_END_WHOLE : LT_END_IMPLAUSIBLE;
		} else if (*n == max) {
			end = LT_END_DEEP;
		} else {
			pcs[*n] = w.regs[ARCH_PC];
			interrupted[*n] = w.exact;
			end = (*n)++ ? step(&w) : step_from_entry(&w);
		}
	} while (end == NO_END);
	if (w.any_guessed)
		*flags |= LT_STACK_GUESSED;
	return end;
}
