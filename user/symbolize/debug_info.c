/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plain libdw and not libdwfl, because the files belong to a possibly hostile target: libdwfl maps them (whoever
 * truncates one kills us with SIGBUS), opens by itself whatever path they name (a FIFO blocks for ever) and takes no
 * limits.
 *
 * For the same reason libdw gets the alternative file of dwz from us, and .dwo files of split DWARF are not opened: the
 * skeletons in the main file still give file and line, the symbol table the function.
 */
#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>

#include "base/clock.h"
#include "base/log.h"
#include "select/module.h"
#include "symbolize/debug_info.h"
#include "symbolize/die_walk.h"

#define MAX_UNITS 1000000u
/* In all, for one file: enough for the largest programs, and an end for a hostile one. */
#define WORK_NS (30 * NSEC_PER_SEC)

struct unit {
	Dwarf_Off die;
	bool indexed;
	struct spans functions; /* ref: offset of the DIE */
};

struct debug_info {
	Dwarf *dw, *alt;
	struct debug_file alt_file;
	uint64_t bias; /* DWARF's addresses are this much higher than the main file's */
	VEC(struct unit) units;
	struct spans by_address; /* ref: index into units */
	struct work_limit limit;
};

/* False when the DWARF has a dwz link that leads nowhere: libdw would follow it by itself at the first reference. */
static bool open_alt(struct debug_info *d, const struct debug_info_source *from)
{
	struct alt_link link, next;
	ssize_t len = dwelf_dwarf_gnu_debugaltlink(d->dw, &link.name, &link.build_id);
	uint64_t need;

	if (!len)
		return true;
	link.build_id_len = (size_t)len;
	if (len < 0 || debug_file__open_alt(&d->alt_file, from->module, from->fd, from->root_fd, &link, from->server))
		return false;
	need = elf_file__dwarf_memory(&d->alt_file.elf);
	if (need > *from->memory)
		return false;
	*from->memory -= need;
	d->alt = dwarf_begin_elf(d->alt_file.elf.elf, DWARF_C_READ, NULL);
	/* One that links on is not made by dwz, but to lead libdw to a file of its choice. */
	if (!d->alt || !elf_file__strings_end(&d->alt_file.elf) ||
	    dwelf_dwarf_gnu_debugaltlink(d->alt, &next.name, &next.build_id))
		return false;
	dwarf_setalt(d->dw, d->alt);
	return true;
}

static void add_unit_ranges(struct debug_info *d, Dwarf_Die *die, size_t index, const struct elf_file *main)
{
	Dwarf_Addr base, lo, hi;
	ptrdiff_t next = 0;

	while ((next = dwarf_ranges(die, next, &base, &lo, &hi)) > 0) {
		if (work_limit__exceeded(&d->limit))
			return;
		/* Functions that the linker dropped keep ranges at address 0 or so. */
		if (elf_file__is_code(main, lo - d->bias))
			spans__add(&d->by_address, lo, hi, index);
	}
}

/* Not by .debug_aranges: clang does not write it, and only units that have it would be found. */
static void index_units(struct debug_info *d, const struct elf_file *main)
{
	Dwarf_Off at = 0, next;
	size_t header;

	for (; !dwarf_nextcu(d->dw, at, &next, &header, NULL, NULL, NULL); at = next) {
		struct unit *u;
		Dwarf_Die die;

		if (d->units.n >= MAX_UNITS || d->by_address.full || work_limit__exceeded(&d->limit))
			break;
		if (!dwarf_offdie(d->dw, at + header, &die))
			continue;
		u = vec__add(&d->units);
		if (!u)
			break;
		u->die = at + header;
		add_unit_ranges(d, &die, d->units.n - 1, main);
	}
	spans__sort(&d->by_address);
}

struct debug_info *debug_info__open(const struct debug_info_source *from)
{
	uint64_t need = elf_file__dwarf_memory(from->elf);
	struct debug_info *d;

	if (need > *from->memory) {
		log__info("%s: no source lines: %llu MiB of debug information are too much", from->module->path,
			  (unsigned long long)(need >> 20));
		return NULL;
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	*from->memory -= need;
	d->alt_file.fd = -1;
	d->limit.left_ns = WORK_NS;
	d->bias = from->elf->base - from->main->base;
	d->dw = dwarf_begin_elf(from->elf->elf, DWARF_C_READ, NULL);
	if (!d->dw || !elf_file__strings_end(from->elf) || !open_alt(d, from)) {
		debug_info__close(d);
		return NULL;
	}
	work_limit__start(&d->limit);
	index_units(d, from->main);
	work_limit__stop(&d->limit);
	return d;
}

void debug_info__close(struct debug_info *d)
{
	struct unit *u;

	if (!d)
		return;
	vec__each (&d->units, u)
		spans__free(&u->functions);
	vec__free(&d->units);
	spans__free(&d->by_address);
	dwarf_end(d->dw);
	dwarf_end(d->alt);
	debug_file__close(&d->alt_file);
	free(d);
}

static const char *die_name(Dwarf_Die *die)
{
	Dwarf_Attribute attr;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
		name = dwarf_formstring(&attr);
	return name ? name : dwarf_diename(die);
}

/*
 * libdw joins the directory of the line table, but leaves the result relative to that of the compiler; and it calls a
 * file "???" when the producer gave none.
 */
static void set_file(Dwarf_Die *unit, const char *file, struct source_frame *out)
{
	Dwarf_Attribute attr;
	const char *dir;

	if (!file || !strcmp(file, "???"))
		return;
	out->file = file;
	if (file[0] == '/' || !dwarf_attr(unit, DW_AT_comp_dir, &attr))
		return;
	dir = dwarf_formstring(&attr);
	/* A relative one was mapped by the build; the line table's names may start with it already. */
	if (dir && dir[0] == '/')
		out->dir = dir;
}

static void line_at(Dwarf_Die *unit, Dwarf_Addr pc, struct source_frame *out)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, pc);
	int number;

	if (!line)
		return;
	set_file(unit, dwarf_linesrc(line, NULL, NULL), out);
	if (!dwarf_lineno(line, &number) && number > 0)
		out->line = (unsigned int)number;
}

static unsigned int number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (!dwarf_attr(die, name, &attr) || dwarf_formudata(&attr, &value) || value > INT32_MAX)
		return 0;
	return (unsigned int)value;
}

/* The place that an inlined function was called from. */
static void call_site(Dwarf_Die *unit, Dwarf_Die *inlined, struct source_frame *out)
{
	Dwarf_Files *files;
	size_t n;

	if (dwarf_hasattr(inlined, DW_AT_call_file) && !dwarf_getsrcfiles(unit, &files, &n))
		set_file(unit, dwarf_filesrc(files, number_of(inlined, DW_AT_call_file), NULL, NULL), out);
	out->line = number_of(inlined, DW_AT_call_line);
}

static unsigned int frames_of_function(struct debug_info *d, Dwarf_Die *unit, Dwarf_Die *function, Dwarf_Addr pc,
				       struct source_frame *out, unsigned int max)
{
	Dwarf_Die inlined[MAX_INLINED];
	unsigned int i, n = die_walk__inlined(function, pc, inlined, &d->limit);
	Dwarf_Addr entry;

	if (n > max - 1)
		n = max - 1;
	/* Each frame's line is where the one inside it was inlined. */
	for (i = 0; i < n; i++) {
		out[i].name = die_name(&inlined[n - 1 - i]);
		call_site(unit, &inlined[n - 1 - i], &out[i + 1]);
	}
	out[n].name = die_name(function);
	if (!dwarf_entrypc(function, &entry))
		out[n].entry = entry - d->bias;
	return n + 1;
}

static struct unit *unit_at(struct debug_info *d, Dwarf_Addr pc, Dwarf_Die *die)
{
	const struct span *span = spans__find(&d->by_address, pc);
	struct unit *u = span ? &d->units.at[span->ref] : NULL;

	if (!u || !dwarf_offdie(d->dw, u->die, die))
		return NULL;
	if (!u->indexed) {
		u->indexed = true;
		die_walk__functions(die, &u->functions, &d->limit);
		spans__sort(&u->functions);
	}
	return u;
}

unsigned int debug_info__frames(struct debug_info *d, uint64_t addr, struct source_frame *out, unsigned int max)
{
	Dwarf_Addr pc = addr + d->bias;
	const struct span *span;
	Dwarf_Die unit, function;
	unsigned int n = 0;
	struct unit *u;

	if (!d->limit.left_ns)
		return 0;
	memset(out, 0, max * sizeof(*out));
	work_limit__start(&d->limit);
	u = unit_at(d, pc, &unit);
	if (u) {
		line_at(&unit, pc, &out[0]);
		span = spans__find(&u->functions, pc);
		if (span && dwarf_offdie(d->dw, span->ref, &function))
			n = frames_of_function(d, &unit, &function, pc, out, max);
		else
			n = out[0].file ? 1 : 0;
	}
	work_limit__stop(&d->limit);
	return n;
}
