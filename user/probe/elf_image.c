/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/elf_image.h"
#include "select/module.h"
#include "select/untrusted_elf.h"

#define CHUNK	 65536
#define MAX_CODE (64u << 20) /* searched for calls; glibc has 2 MiB */

struct elf_image {
	Elf *elf;
	int fd; /* the module's */
	size_t n_phdrs;
	unsigned char chunk[CHUNK];
};

struct elf_image *elf_image__open(const struct module *m, int *err)
{
	struct elf_image *img;
	GElf_Ehdr eh;

	if (m->fd < 0) {
		*err = m->open_error;
		return NULL;
	}
	img = calloc(1, sizeof(*img));
	if (!img) {
		*err = -ENOMEM;
		return NULL;
	}
	img->fd = m->fd;
	img->elf = untrusted_elf__begin(m->fd);
	if (!img->elf || gelf_getclass(img->elf) != ELFCLASS64 || !gelf_getehdr(img->elf, &eh) ||
	    eh.e_machine != EM_X86_64 || elf_getphdrnum(img->elf, &img->n_phdrs)) {
		*err = -ENOEXEC;
		elf_image__close(img);
		return NULL;
	}
	return img;
}

void elf_image__close(struct elf_image *img)
{
	if (!img)
		return;
	elf_end(img->elf);
	free(img);
}

/* The first section of this type; a file has at most one of those that are asked for. */
static Elf_Data *find_section(struct elf_image *img, uint32_t type, GElf_Shdr *sh)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(img->elf, scn))) {
		if (gelf_getshdr(scn, sh) && sh->sh_type == type)
			return untrusted_elf__data(scn, sh);
	}
	return NULL;
}

static int each_in_table(struct elf_image *img, uint32_t type, int (*fn)(const struct elf_fn *f, void *ctx), void *ctx)
{
	struct elf_strings names;
	GElf_Shdr sh;
	Elf_Data *data = find_section(img, type, &sh);
	GElf_Sym sym;
	int ret = 0, i;

	if (!data || sh.sh_entsize != sizeof(Elf64_Sym))
		return 0;
	names = untrusted_elf__strings(img->elf, sh.sh_link);
	for (i = 0; !ret && gelf_getsym(data, i, &sym); i++) {
		struct elf_fn f = {.vaddr = sym.st_value, .size = sym.st_size};

		if (GELF_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF || !sym.st_value)
			continue;
		f.name = elf_strings__at(&names, sym.st_name);
		if (*f.name)
			ret = fn(&f, ctx);
	}
	return ret;
}

int elf_image__each_function(struct elf_image *img, int (*fn)(const struct elf_fn *f, void *ctx), void *ctx)
{
	int ret = each_in_table(img, SHT_DYNSYM, fn, ctx);

	return ret ? ret : each_in_table(img, SHT_SYMTAB, fn, ctx);
}

int elf_image__object(struct elf_image *img, const char *name, uint64_t *vaddr)
{
	struct elf_strings names;
	GElf_Shdr sh;
	Elf_Data *data = find_section(img, SHT_DYNSYM, &sh);
	GElf_Sym sym;
	int i;

	if (!data || sh.sh_entsize != sizeof(Elf64_Sym))
		return -ENOENT;
	names = untrusted_elf__strings(img->elf, sh.sh_link);
	for (i = 0; gelf_getsym(data, i, &sym); i++) {
		if (GELF_ST_TYPE(sym.st_info) != STT_OBJECT || sym.st_shndx == SHN_UNDEF ||
		    strcmp(elf_strings__at(&names, sym.st_name), name))
			continue;
		*vaddr = sym.st_value;
		return 0;
	}
	return -ENOENT;
}

const char *elf_image__soname(struct elf_image *img)
{
	struct elf_strings names;
	GElf_Shdr sh;
	Elf_Data *data = find_section(img, SHT_DYNAMIC, &sh);
	GElf_Dyn dyn;
	int i;

	for (i = 0; data && gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag != DT_SONAME)
			continue;
		names = untrusted_elf__strings(img->elf, sh.sh_link);
		return elf_strings__at(&names, dyn.d_un.d_val);
	}
	return NULL;
}

static bool segment(struct elf_image *img, size_t i, GElf_Phdr *ph)
{
	return gelf_getphdr(img->elf, (int)i, ph);
}

bool elf_image__is_dynamic(struct elf_image *img)
{
	GElf_Phdr ph;
	size_t i;

	for (i = 0; i < img->n_phdrs; i++) {
		if (segment(img, i, &ph) && (ph.p_type == PT_INTERP || ph.p_type == PT_DYNAMIC))
			return true;
	}
	return false;
}

int elf_image__file_offset(struct elf_image *img, uint64_t vaddr, uint64_t *offset)
{
	GElf_Phdr ph;
	size_t i;

	for (i = 0; i < img->n_phdrs; i++) {
		if (!segment(img, i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
			continue;
		if (vaddr >= ph.p_vaddr && vaddr - ph.p_vaddr < ph.p_filesz) {
			*offset = vaddr - ph.p_vaddr + ph.p_offset;
			return 0;
		}
	}
	return -ENOENT;
}

/* Call fn for each call of target in these bytes, the first of which has this address. */
static void scan(const unsigned char *bytes, size_t n, uint64_t address, uint64_t target,
		 void (*fn)(uint64_t ret, void *ctx), void *ctx)
{
	const unsigned char *p = bytes, *end = bytes + n - 4;

	for (; p < end && (p = memchr(p, 0xe8, (size_t)(end - p))); p++) {
		uint64_t ret = address + (uint64_t)(p - bytes) + 5;
		int32_t rel;

		memcpy(&rel, p + 1, sizeof(rel));
		if (ret + (uint64_t)(int64_t)rel == target)
			fn(ret, ctx);
	}
}

void elf_image__each_call(struct elf_image *img, uint64_t target, void (*fn)(uint64_t ret, void *ctx), void *ctx)
{
	uint64_t at, left = MAX_CODE;
	GElf_Phdr ph;
	size_t i, n;
	ssize_t got;

	for (i = 0; i < img->n_phdrs; i++) {
		if (!segment(img, i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
			continue;
		/* A call may begin in the last 4 bytes of a chunk: they are the first of the next one. */
		for (at = 0; at < ph.p_filesz && left; at += (uint64_t)got - 4) {
			n = ph.p_filesz - at < CHUNK ? ph.p_filesz - at : CHUNK;
			n = n < left ? n : left;
			got = pread(img->fd, img->chunk, n, (off_t)(ph.p_offset + at));
			if (got < 5)
				break;
			scan(img->chunk, (size_t)got, ph.p_vaddr + at, target, fn, ctx);
			left -= (uint64_t)got - 4;
		}
	}
}
