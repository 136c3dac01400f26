/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "symbolize/symtab.h"

/* libxul has a tenth of it. */
#define MAX_SYMBOLS 4000000u

struct elf_symbol {
	uint64_t addr, size;
	uint64_t limit; /* end of its section: a symbol without size reaches no further */
	const char *name;
	bool function, local;
};

struct table {
	const struct elf_file *file, *code;
	const Elf_Data *symbols;
	const char *strings; /* strings[strings_size - 1] is NUL */
	size_t strings_size;
	uint64_t bias;
};

static bool wanted(const GElf_Sym *sym, const char *name)
{
	unsigned int type = GELF_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS || sym->st_shndx == SHN_COMMON || !name[0])
		return false;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return true;
	/* Assembly often gives no type. "$x" marks code for disassemblers (ARM), ".L" is a label of a compiler. */
	return type == STT_NOTYPE && name[0] != '$' && name[0] != '.';
}

static uint64_t section_end(const struct elf_file *f, uint32_t index)
{
	Elf_Scn *scn = index < SHN_LORESERVE ? elf_getscn(f->elf, index) : NULL;
	GElf_Shdr shdr;

	if (!scn || !gelf_getshdr(scn, &shdr))
		return UINT64_MAX;
	return shdr.sh_addr + shdr.sh_size;
}

static bool add_symbol(struct symtab *t, const struct table *from, const GElf_Sym *sym)
{
	unsigned int type = GELF_ST_TYPE(sym->st_info);
	uint64_t addr = sym->st_value - from->bias;
	struct elf_symbol *s;
	const char *name;

	if (sym->st_name >= from->strings_size)
		return false;
	name = from->strings + sym->st_name;
	if (!wanted(sym, name) || !elf_file__is_code(from->code, addr))
		return false;
	s = t->raw.n < MAX_SYMBOLS ? vec__add(&t->raw) : NULL;
	if (!s)
		return false;
	s->addr = addr;
	s->size = sym->st_size;
	s->name = name;
	s->function = type != STT_NOTYPE;
	s->local = GELF_ST_BIND(sym->st_info) == STB_LOCAL;
	s->limit = s->size ? 0 : section_end(from->file, sym->st_shndx) - from->bias;
	return true;
}

static bool open_table(struct table *t, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	const Elf_Data *strings;
	GElf_Shdr str_shdr;
	Elf_Scn *str;

	str = elf_getscn(t->file->elf, shdr->sh_link);
	if (!str || !gelf_getshdr(str, &str_shdr) || str_shdr.sh_type != SHT_STRTAB)
		return false;
	t->symbols = elf_file__data(scn, shdr);
	strings = elf_file__data(str, &str_shdr);
	if (!t->symbols || !strings || ((const char *)strings->d_buf)[strings->d_size - 1])
		return false;
	t->strings = strings->d_buf;
	t->strings_size = strings->d_size;
	return true;
}

size_t symtab__add(struct symtab *t, const struct elf_file *f, uint32_t type, const struct elf_file *code,
		   uint64_t bias)
{
	struct table table = {.file = f, .code = code, .bias = bias};
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	size_t added = 0;

	while (f->names && (scn = elf_nextscn(f->elf, scn))) {
		size_t each, i, n;
		GElf_Sym sym;

		if (!gelf_getshdr(scn, &shdr) || shdr.sh_type != type || !open_table(&table, scn, &shdr))
			continue;
		each = gelf_fsize(f->elf, ELF_T_SYM, 1, EV_CURRENT);
		n = each ? table.symbols->d_size / each : 0;
		for (i = 0; i < n && i <= INT32_MAX; i++)
			if (gelf_getsym((Elf_Data *)table.symbols, (int)i, &sym))
				added += add_symbol(t, &table, &sym);
		break; /* the formats allow one table of each kind; more would only repeat work */
	}
	return added;
}

static size_t underscores(const char *name)
{
	return strspn(name, "_");
}

/* Negative: a is the better name for the address they share. A total order but for equal names. */
static int compare_names(const struct elf_symbol *a, const struct elf_symbol *b)
{
	size_t la, lb;

	if (!a->size != !b->size)
		return a->size ? -1 : 1;
	if (a->function != b->function)
		return a->function ? -1 : 1;
	/* Weak counts as global: glibc's read is weak, the __read it aliases is not. */
	if (a->local != b->local)
		return a->local ? 1 : -1;
	la = underscores(a->name);
	lb = underscores(b->name);
	if (la != lb)
		return la < lb ? -1 : 1;
	la = strcspn(a->name, "@");
	lb = strcspn(b->name, "@");
	if (la != lb)
		return la < lb ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare(const void *x, const void *y)
{
	const struct elf_symbol *a = x, *b = y;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	return compare_names(a, b);
}

void symtab__build(struct symtab *t)
{
	size_t i, next;
	uint64_t reach = 0;

	if (t->raw.n)
		qsort(t->raw.at, t->raw.n, sizeof(*t->raw.at), compare);
	for (i = 0; i < t->raw.n; i = next) {
		struct elf_symbol *best = &t->raw.at[i];
		uint64_t size = best->size, end;

		for (next = i + 1; next < t->raw.n && t->raw.at[next].addr == best->addr; next++)
			if (t->raw.at[next].size > size)
				size = t->raw.at[next].size;
		if (size) {
			end = best->addr + size < best->addr ? UINT64_MAX : best->addr + size;
		} else if (best->addr < reach) {
			continue; /* a label inside a function that has a size: that one is the name */
		} else {
			end = best->limit;
			if (next < t->raw.n && t->raw.at[next].addr < end)
				end = t->raw.at[next].addr;
		}
		if (size && end > reach)
			reach = end;
		spans__add(&t->spans, best->addr, end, (uintptr_t)best->name);
	}
	vec__free(&t->raw);
	spans__sort(&t->spans);
}

bool symtab__find(const struct symtab *t, uint64_t addr, struct symtab_hit *hit)
{
	const struct span *s = spans__find(&t->spans, addr);

	if (!s)
		return false;
	*hit = (struct symtab_hit){.name = (const char *)(uintptr_t)s->ref, .start = s->lo};
	return true;
}

void symtab__free(struct symtab *t)
{
	vec__free(&t->raw);
	spans__free(&t->spans);
}
