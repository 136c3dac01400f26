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

/*
 * Call fn for each defined function symbol of .dynsym, then of .symtab; of a file without the latter, of its mini
 * debuginfo and its debug file. Stops when fn returns non-zero, returns that.
 */
int elf_image__each_function(struct elf_image *img, int (*fn)(const struct elf_fn *f, void *ctx), void *ctx);

/* Address of the data object that .dynsym names so. -ENOENT: there is none. */
int elf_image__object(struct elf_image *img, const char *name, uint64_t *vaddr);

/* The symbol whose address the loader puts there (in the global offset table); NULL: none. */
const char *elf_image__slot(struct elf_image *img, uint64_t vaddr);

/* The symbol that a stub of the procedure linkage table jumps to; NULL: there is no stub at vaddr. */
const char *elf_image__stub(struct elf_image *img, uint64_t vaddr);

/* DT_SONAME, or NULL. */
const char *elf_image__soname(struct elf_image *img);

/* True for a file with a PT_INTERP or PT_DYNAMIC segment. */
bool elf_image__is_dynamic(struct elf_image *img);

/* File offset of a virtual address inside an executable segment. -ENOENT: it lies in none. */
int elf_image__file_offset(struct elf_image *img, uint64_t vaddr, uint64_t *offset);

/* Its executable segments, by number from *i on: where the next one begins and ends. False: there are no more. */
bool elf_image__next_code(struct elf_image *img, size_t *i, uint64_t *start, uint64_t *end);

/* Code from an address on, at most n bytes of its executable segment, into buf. Returns how many; 0: it lies in none.
 */
size_t elf_image__read_code(struct elf_image *img, uint64_t vaddr, void *buf, size_t n);

/*
 * Where the piece of code at vaddr begins and ends, by the unwind information or its index (.eh_frame_hdr, LSB core
 * 10.6.2): a function, or a part of one that the compiler has put elsewhere. -ENOENT: it is in none, or there is no
 * index.
 */
int elf_image__piece(struct elf_image *img, uint64_t vaddr, uint64_t *start, uint64_t *end);

struct elf_branch {
	uint64_t vaddr, next; /* of the instruction, and of the one behind it */
	uint64_t target;
	bool is_call, is_short; /* by 8 bits: not farther than 127 bytes */
};

/*
 * Find what leads directly to another place: call, jmp, jcc in executable segments. Bytes that only look like one are
 * found too. -E2BIG: there is too much code to look through.
 */
int elf_image__each_branch(struct elf_image *img, void (*fn)(const struct elf_branch *b, void *ctx), void *ctx);
