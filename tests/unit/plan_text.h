/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plan_text: a plan in few words, a line for each function:
 *
 *	FAMILY FUNCTION +0xOFFSET emulated|stepped RETURNS WHY [sp+BYTES] [size|count|ptr:REGISTER]…
 *	FAMILY FUNCTION left-out|counted-below
 *
 * counted-below: it is hooked only on request, as here: otherwise what it calls is.
 *
 * RETURNS is none; insns:N, at this many ret instructions; or probe, then a slash and what it is where return probes
 * could kill: insns:N or left-out. A register is named if it is not the one that has the argument at the entry.
 */
#pragma once

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plan_families.h"

static inline const char *plan_text__why(enum place_why why)
{
	static const char *const words[] = {
		[PLACE_ENTRY] = "entry",	   [PLACE_FIRST] = "first",	[PLACE_NOT_ZERO] = "not-zero",
		[PLACE_NO_SIZE] = "no-size",	   [PLACE_NO_CODE] = "no-code", [PLACE_NONE] = "none",
		[PLACE_REGISTERS] = "registers",   [PLACE_STACK] = "stack",	[PLACE_JUMPS_BACK] = "jumps-back",
		[PLACE_JUMP_TABLE] = "jump-table", [PLACE_ENTERED] = "entered",
	};

	return why < sizeof(words) / sizeof(words[0]) && words[why] ? words[why] : "?";
}

/* How its returns are seen where return probes could kill. */
static inline void plan_text__rets(FILE *out, const struct plan *p, uint64_t vaddr)
{
	const struct planned_fn *f;

	vec__each (&p->fns, f) {
		if (f->vaddr == vaddr) {
			fprintf(out, "insns:%zu", f->rets.list.n);
			return;
		}
	}
	fprintf(out, "left-out");
}

static inline void plan_text__register(FILE *out, const struct planned_fn *f, const char *name, uint8_t arg)
{
	static const char *const registers[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
						"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	static const uint8_t at_entry[] = {GPR_RDI, GPR_RSI, GPR_RDX, GPR_RCX, GPR_R8};
	uint8_t reg = plan__register(f, arg);

	if (arg < sizeof(at_entry) && reg != at_entry[arg])
		fprintf(out, " %s:%s", name, reg < 16 ? registers[reg] : "?");
}

/* C++ forms have one name for people. */
static inline const char *plan_text__name(const struct family_fn *fn, const char *name)
{
	return fn->shown ? fn->name : name;
}

static inline void plan_text__function(FILE *out, const struct planned_fn *f, const struct plan *by_rets)
{
	fprintf(out, "%s %s +0x%x %s ", f->family->name, plan_text__name(f->fn, f->name), f->place.offset,
		f->place.emulated ? "emulated" : "stepped");
	if (f->returns == PLAN_RETURN_NONE)
		fprintf(out, "none");
	if (f->returns == PLAN_RETURN_PROBE)
		fprintf(out, "probe/");
	if (f->returns != PLAN_RETURN_NONE)
		plan_text__rets(out, by_rets, f->vaddr);
	fprintf(out, " %s", plan_text__why(f->place.why));
	if (f->place.sp_offset)
		fprintf(out, " sp+%u", f->place.sp_offset);
	plan_text__register(out, f, "size", f->fn->size_arg);
	plan_text__register(out, f, "count", f->fn->count_arg);
	plan_text__register(out, f, "ptr", f->fn->ptr_arg);
	fprintf(out, "\n");
}

static inline void plan_text__module(FILE *out, const struct module *m)
{
	struct plan_request r = {.families = all_families, .with_callers = true};
	struct plan p, by_rets, usual;
	const struct planned_fn *f;
	const struct unplanned_fn *u;
	struct err e;
	int err = plan__make(&p, m, &r, &e);

	r.no_return_probes = true;
	plan__make(&by_rets, m, &r, &e);
	r.with_callers = r.no_return_probes = false;
	plan__make(&usual, m, &r, &e);
	vec__each (&p.fns, f)
		plan_text__function(out, f, &by_rets);
	vec__each (&p.left_out, u)
		fprintf(out, "%s %s left-out\n", u->family->name, plan_text__name(u->fn, u->name));
	vec__each (&usual.left_out, u) {
		if (u->counted_below)
			fprintf(out, "%s %s counted-below\n", u->family->name, plan_text__name(u->fn, u->name));
	}
	if (err && err != -ENOENT && err != -ENOTSUP)
		fprintf(out, "error %d\n", err);
	plan__free(&p);
	plan__free(&by_rets);
	plan__free(&usual);
}

/* The plan of a file; empty: it has no allocator; NULL: it cannot be read. To be freed. */
static inline char *plan_text__of_file(const char *path)
{
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct module m = {.path = (char *)path, .fd = fd, .root_fd = -1};
	size_t size;
	char *text = NULL;
	FILE *out;

	if (fd < 0)
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	plan_text__module(out, &m);
	fclose(out);
	return text;
}

/* Its build-id in hexadecimal. False: it is no ELF file, or has none. */
static inline bool plan_text__build_id(const char *path, char hex[2 * BUILD_ID_MAX + 1])
{
	__cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	const void *id = NULL;
	ssize_t n = elf && elf_kind(elf) == ELF_K_ELF ? dwelf_elf_gnu_build_id(elf, &id) : -1, i;

	for (i = 0; i < n && i < BUILD_ID_MAX; i++)
		sprintf(hex + 2 * i, "%02x", ((const unsigned char *)id)[i]);
	elf_end(elf);
	return n > 0;
}
