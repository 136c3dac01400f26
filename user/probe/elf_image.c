/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "probe/elf_image.h"
#include "select/module.h"

struct elf_image {
	Elf *elf;
	size_t n_phdrs;
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
	elf_version(EV_CURRENT);
	/* Read, not mapped: whoever truncates a mapped file kills us with SIGBUS. */
	img->elf = elf_begin(m->fd, ELF_C_READ, NULL);
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

static int each_in_table(struct elf_image *img, uint32_t type, int (*fn)(const struct elf_fn *f, void *ctx), void *ctx)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Sym sym;
	int ret = 0;

	while (!ret && (scn = elf_nextscn(img->elf, scn))) {
		Elf_Data *data;
		size_t i, n;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != type || !sh.sh_entsize)
			continue;
		data = elf_getdata(scn, NULL);
		n = data ? data->d_size / sh.sh_entsize : 0;
		for (i = 0; i < n && !ret; i++) {
			struct elf_fn f;

			if (!gelf_getsym(data, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_FUNC ||
			    sym.st_shndx == SHN_UNDEF || !sym.st_value)
				continue;
			f.name = elf_strptr(img->elf, sh.sh_link, sym.st_name);
			f.vaddr = sym.st_value;
			f.size = sym.st_size;
			if (f.name && *f.name)
				ret = fn(&f, ctx);
		}
	}
	return ret;
}

int elf_image__each_function(struct elf_image *img, int (*fn)(const struct elf_fn *f, void *ctx), void *ctx)
{
	int ret = each_in_table(img, SHT_DYNSYM, fn, ctx);

	return ret ? ret : each_in_table(img, SHT_SYMTAB, fn, ctx);
}

const char *elf_image__soname(struct elf_image *img)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;
	GElf_Dyn dyn;
	int i;

	while ((scn = elf_nextscn(img->elf, scn))) {
		Elf_Data *data;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNAMIC)
			continue;
		data = elf_getdata(scn, NULL);
		for (i = 0; data && gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
			if (dyn.d_tag == DT_SONAME)
				return elf_strptr(img->elf, sh.sh_link, dyn.d_un.d_val);
		}
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

void elf_image__each_call(struct elf_image *img, uint64_t target, void (*fn)(uint64_t ret, void *ctx), void *ctx)
{
	size_t i, file_size = 0;
	const char *file = elf_rawfile(img->elf, &file_size);
	GElf_Phdr ph;

	for (i = 0; file && i < img->n_phdrs; i++) {
		const unsigned char *p, *end;

		if (!segment(img, i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X) || ph.p_offset > file_size ||
		    ph.p_filesz > file_size - ph.p_offset || ph.p_filesz < 5)
			continue;
		p = (const unsigned char *)file + ph.p_offset;
		end = p + ph.p_filesz - 4;
		for (; p < end && (p = memchr(p, 0xe8, (size_t)(end - p))); p++) {
			uint64_t ret = ph.p_vaddr + (uint64_t)(p - ((const unsigned char *)file + ph.p_offset)) + 5;
			int32_t rel;

			memcpy(&rel, p + 1, sizeof(rel));
			if (ret + (uint64_t)(int64_t)rel == target)
				fn(ret, ctx);
		}
	}
}
