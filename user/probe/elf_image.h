/* SPDX-License-Identifier: GPL-2.0-only */
/* elf_image: a module's symbols, segments and code, as planning needs them. The file is hostile input. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module;
struct elf_image;

/* NULL with *err set to a negative errno: not a 64-bit ELF file of this machine, not open, no memory. */
struct elf_image *elf_image__open(const struct module *m, int *err);
void elf_image__close(struct elf_image *img);

struct elf_fn {
	const char *name; /* valid until elf_image__close() */
	uint64_t vaddr, size;
};

/* Call fn for each defined function symbol of .dynsym, then of .symtab. Stops when fn returns non-zero, returns that.
 */
int elf_image__each_function(struct elf_image *img, int (*fn)(const struct elf_fn *f, void *ctx), void *ctx);

/* Address of the data object that .dynsym names so. -ENOENT: there is none. */
int elf_image__object(struct elf_image *img, const char *name, uint64_t *vaddr);

/* DT_SONAME, or NULL. */
const char *elf_image__soname(struct elf_image *img);

/* True for a file with a PT_INTERP or PT_DYNAMIC segment. */
bool elf_image__is_dynamic(struct elf_image *img);

/* File offset of a virtual address inside an executable segment. -ENOENT: it lies in none. */
int elf_image__file_offset(struct elf_image *img, uint64_t vaddr, uint64_t *offset);

/*
 * Find direct calls (E8 rel32) to `target` in executable segments; fn gets the address after each. Bytes that only look
 * like a call are found too: a match by chance needs 32 bits to agree.
 */
void elf_image__each_call(struct elf_image *img, uint64_t target, void (*fn)(uint64_t ret, void *ctx), void *ctx);
