/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/elf_image_private.h"
#include "select/debug_file.h"
#include "select/mini_debuginfo.h"
#include "select/module.h"

#define MAX_MINI  (64u << 20) /* bytes of an unpacked mini debuginfo */
#define MAX_NAME  512
#define MAX_SLOTS 200000 /* chromium has a tenth of it */

/* The first section of this type; a file has at most one of those that are asked for. */
static Elf_Data *find_section(Elf *elf, uint32_t type, GElf_Shdr *sh)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		if (gelf_getshdr(scn, sh) && sh->sh_type == type)
			return untrusted_elf__data(scn, sh);
	}
	return NULL;
}

static int each_in_table(Elf *elf, uint32_t type, int (*fn)(const struct elf_fn *f, void *ctx), void *ctx)
{
	struct elf_strings names;
	GElf_Shdr sh;
	Elf_Data *data = find_section(elf, type, &sh);
	GElf_Sym sym;
	int ret = 0, i;

	if (!data || sh.sh_entsize != sizeof(Elf64_Sym))
		return 0;
	names = untrusted_elf__strings(elf, sh.sh_link);
	for (i = 0; !ret && gelf_getsym(data, i, &sym); i++) {
		struct elf_fn f = {.vaddr = sym.st_value, .size = sym.st_size};

		if (GELF_ST_TYPE(sym.st_info) != STT_FUNC || sym.st_shndx == SHN_UNDEF || !sym.st_value)
			continue;
		f.name = elf_strings__at(&names, sym.st_name);
		/* The longest are mangled templates', and of no allocator: a million of them must not take long. */
		if (*f.name && strnlen(f.name, MAX_NAME + 1) <= MAX_NAME)
			ret = fn(&f, ctx);
	}
	return ret;
}

/* Takes fd over. */
static void add_names(struct elf_image *img, int fd)
{
	struct elf_names *n = fd >= 0 ? vec__add(&img->more) : NULL;

	if (!n) {
		if (fd >= 0)
			close(fd);
		return;
	}
	n->fd = fd;
	n->elf = untrusted_elf__begin(fd);
}

/* What elf_file has checked (build-id or checksum) is read here once more, by libelf and never mapped. */
static void add_debug_file(struct elf_image *img)
{
	__cleanup_close int own = -1;
	struct elf_file self = {};
	struct debug_file d;

	if (elf_file__open(&self, img->fd, false))
		return;
	if (!debug_file__open(&d, img->module, &self, NULL)) {
		own = dup(d.fd);
		debug_file__close(&d);
		add_names(img, steal_fd(&own));
	}
	elf_file__close(&self);
}

/* A stripped file may have its names elsewhere. Not on a server: an attach does not wait for a network. */
static void look_for_names(struct elf_image *img)
{
	uint64_t memory = MAX_MINI;
	GElf_Shdr sh;

	if (img->looked_for_names)
		return;
	img->looked_for_names = true;
	if (find_section(img->elf, SHT_SYMTAB, &sh))
		return;
	add_names(img, mini_debuginfo__open(img->elf, &memory));
	add_debug_file(img);
}

void elf_names__close(struct elf_image *img)
{
	struct elf_names *n;

	vec__each (&img->more, n) {
		elf_end(n->elf);
		close(n->fd);
	}
	vec__free(&img->more);
	vec__free(&img->slots);
}

int elf_image__each_function(struct elf_image *img, int (*fn)(const struct elf_fn *f, void *ctx), void *ctx)
{
	int ret = each_in_table(img->elf, SHT_DYNSYM, fn, ctx);
	struct elf_names *n;

	if (!ret)
		ret = each_in_table(img->elf, SHT_SYMTAB, fn, ctx);
	look_for_names(img);
	vec__each (&img->more, n) {
		if (!ret && n->elf)
			ret = each_in_table(n->elf, SHT_SYMTAB, fn, ctx);
	}
	return ret;
}

int elf_image__object(struct elf_image *img, const char *name, uint64_t *vaddr)
{
	struct elf_strings names;
	GElf_Shdr sh;
	Elf_Data *data = find_section(img->elf, SHT_DYNSYM, &sh);
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
	Elf_Data *data = find_section(img->elf, SHT_DYNAMIC, &sh);
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

/* The slots of one section of relocations, all of which refer to .dynsym. */
static void add_slots(struct elf_image *img, Elf_Data *relocations, Elf_Data *symbols, const struct elf_strings *names)
{
	struct elf_slot *slot;
	GElf_Rela rela;
	GElf_Sym sym;
	int i;

	for (i = 0; gelf_getrela(relocations, i, &rela) && img->slots.n < MAX_SLOTS; i++) {
		uint32_t type = GELF_R_TYPE(rela.r_info);

		if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT)
			continue;
		if (!gelf_getsym(symbols, (int)GELF_R_SYM(rela.r_info), &sym))
			continue;
		slot = vec__add(&img->slots);
		if (!slot)
			return;
		slot->vaddr = rela.r_offset;
		slot->name = elf_strings__at(names, sym.st_name);
	}
}

static int compare_slots(const void *a, const void *b)
{
	const struct elf_slot *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static void look_for_slots(struct elf_image *img)
{
	GElf_Shdr sh, dynsym;
	Elf_Data *symbols = find_section(img->elf, SHT_DYNSYM, &dynsym), *data;
	struct elf_strings names;
	Elf_Scn *scn = NULL;

	img->looked_for_slots = true;
	if (!symbols || dynsym.sh_entsize != sizeof(Elf64_Sym))
		return;
	names = untrusted_elf__strings(img->elf, dynsym.sh_link);
	while ((scn = elf_nextscn(img->elf, scn))) {
		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_RELA || sh.sh_entsize != sizeof(Elf64_Rela))
			continue;
		data = untrusted_elf__data(scn, &sh);
		if (data)
			add_slots(img, data, symbols, &names);
	}
	if (img->slots.n)
		qsort(img->slots.at, img->slots.n, sizeof(*img->slots.at), compare_slots);
}

const char *elf_image__slot(struct elf_image *img, uint64_t vaddr)
{
	const struct elf_slot wanted = {.vaddr = vaddr}, *found;

	if (!img->looked_for_slots)
		look_for_slots(img);
	if (!img->slots.n)
		return NULL;
	found = bsearch(&wanted, img->slots.at, img->slots.n, sizeof(wanted), compare_slots);
	return found ? found->name : NULL;
}

/* [endbr64] [bnd] jmp *rel32(%rip): what all linkers write. */
const char *elf_image__stub(struct elf_image *img, uint64_t vaddr)
{
	static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	unsigned char code[16];
	size_t n = elf_image__read_code(img, vaddr, code, sizeof(code)), at = 0;
	int32_t distance;

	if (n < sizeof(code))
		return NULL;
	if (!memcmp(code, endbr64, sizeof(endbr64)))
		at = sizeof(endbr64);
	if (code[at] == 0xf2)
		at++;
	if (code[at] != 0xff || code[at + 1] != 0x25)
		return NULL;
	memcpy(&distance, code + at + 2, sizeof(distance));
	return elf_image__slot(img, vaddr + at + 6 + (uint64_t)(int64_t)distance);
}
