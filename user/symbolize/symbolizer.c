/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "select/mini_debuginfo.h"
#include "select/module.h"
#include "symbolize/debug_info.h"
#include "select/debuginfod.h"
#include "symbolize/demangle.h"
#include "base/interned.h"
#include "symbolize/symbolizer.h"
#include "symbolize/symtab.h"

#define MAX_FRAMES 65
#define MAX_NAME   4096
/*
 * Of DWARF and mini debuginfo read into memory, over all files. Debug files of this host's distribution are mapped and
 * do not count.
 */
#define DWARF_BYTES (1ull << 30)
/* For debug files from servers, in all: nothing else is done meanwhile. */
#define SERVER_NS (30 * NSEC_PER_SEC)

/* What has been opened for one module; everything empty when the file is unusable. */
struct source {
	const struct module *module; /* key */
	struct elf_file main;
	struct debug_file debug;
	struct elf_file mini; /* its mini debuginfo */
	int mini_fd;
	struct symtab symbols;
	struct debug_info *dwarf;
};

struct answer {
	const struct module *module; /* key */
	uint64_t offset;	     /* key */
	unsigned int n;
	struct symbol at[];
};

struct symbolizer {
	void *sources, *answers; /* tsearch() trees */
	struct interned strings;
	struct debuginfod *server; /* NULL: none */
	uint64_t dwarf_bytes;
};

static const struct symbol nothing;

static int compare_sources(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct source *)a)->module, y = (uintptr_t)((const struct source *)b)->module;

	return x < y ? -1 : x > y;
}

static int compare_answers(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	if (x->module != y->module)
		return (uintptr_t)x->module < (uintptr_t)y->module ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

struct symbolizer *symbolizer__new(void)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (s) {
		s->dwarf_bytes = DWARF_BYTES;
		s->server = debuginfod__new(SERVER_NS);
	}
	return s;
}

static void source__free(void *p)
{
	struct source *src = p;

	debug_info__close(src->dwarf);
	symtab__free(&src->symbols);
	debug_file__close(&src->debug);
	elf_file__close(&src->mini);
	cleanup__close(&src->mini_fd);
	elf_file__close(&src->main);
	free(src);
}

void symbolizer__free(struct symbolizer *s)
{
	if (!s)
		return;
	tdestroy(s->sources, source__free);
	tdestroy(s->answers, free);
	interned__free(&s->strings);
	debuginfod__free(s->server);
	free(s);
}

static void open_dwarf(struct symbolizer *s, struct source *src)
{
	struct debug_info_source from = {
		.module = src->module, .main = &src->main, .server = s->server, .memory = &s->dwarf_bytes};

	if (elf_file__has_dwarf(&src->main)) {
		from.elf = &src->main;
		from.fd = src->module->fd;
		from.root_fd = src->module->root_fd;
	} else if (src->debug.elf.elf && elf_file__has_dwarf(&src->debug.elf)) {
		from.elf = &src->debug.elf;
		from.fd = src->debug.fd;
		from.root_fd = src->debug.root_fd;
	} else {
		return;
	}
	src->dwarf = debug_info__open(&from);
}

static void add_mini_debuginfo(struct symbolizer *s, struct source *src)
{
	src->mini_fd = mini_debuginfo__open(src->main.elf, &s->dwarf_bytes);
	if (src->mini_fd == -ENOENT)
		return;
	if (src->mini_fd < 0 || elf_file__open(&src->mini, src->mini_fd, false)) {
		log__info("%s: its mini debuginfo cannot be used", src->module->path);
		return;
	}
	symtab__add(&src->symbols, &src->mini, SHT_SYMTAB, &src->main, src->mini.base - src->main.base);
}

static void source__open(struct symbolizer *s, struct source *src)
{
	const struct elf_file *main = &src->main;
	const struct elf_file *debug = &src->debug.elf;
	size_t n;

	src->debug.fd = src->mini_fd = -1;
	if (elf_file__open(&src->main, src->module->fd, false))
		return;
	n = symtab__add(&src->symbols, main, SHT_SYMTAB, main, 0);
	if (!n || !elf_file__has_dwarf(main))
		debug_file__open(&src->debug, src->module, main, s->server);
	if (!n && debug->elf)
		n = symtab__add(&src->symbols, debug, SHT_SYMTAB, main, debug->base - main->base);
	if (!n && main->names)
		add_mini_debuginfo(s, src);
	/* Always: a .symtab may have been thinned out by strip, and equal names cost nothing. */
	symtab__add(&src->symbols, main, SHT_DYNSYM, main, 0);
	symtab__build(&src->symbols);
	open_dwarf(s, src);
	log__debug("%s: %zu symbols%s", src->module->path, src->symbols.spans.list.n, src->dwarf ? ", DWARF" : "");
}

static struct source *source_of(struct symbolizer *s, const struct module *m)
{
	struct source key = {.module = m}, *src, **slot = tfind(&key, &s->sources, compare_sources);

	if (slot)
		return *slot;
	src = calloc(1, sizeof(*src));
	if (!src)
		return NULL;
	src->module = m;
	if (!tsearch(src, &s->sources, compare_sources)) {
		free(src);
		return NULL;
	}
	source__open(s, src);
	return src;
}

static const char *readable(struct symbolizer *s, const char *name)
{
	char text[MAX_NAME], plain[MAX_NAME];
	size_t n;

	if (!name)
		return NULL;
	/* "memcpy@@GLIBC_2.14": the version is the linker's business. */
	for (n = 0; n < sizeof(plain) - 1 && name[n] && (name[n] != '@' || !n); n++)
		plain[n] = name[n];
	plain[n] = '\0';
	return interned__safe(&s->strings, demangle(text, sizeof(text), plain));
}

static const char *file_path(struct symbolizer *s, const struct source_frame *frame)
{
	char path[PATH_MAX];

	if (!frame->file || !frame->dir)
		return interned__safe(&s->strings, frame->file);
	snprintf(path, sizeof(path), "%s/%s", frame->dir, frame->file);
	return interned__safe(&s->strings, path);
}

/*
 * The function itself is called as its ELF symbol, not as DWARF has it: the symbol is what other tools show, and what
 * the user can pass to them. But a symbol that starts before the function is of another one (symbols without a size).
 */
static void name_function(struct symbolizer *s, const struct source *src, uint64_t addr,
			  const struct source_frame *frame, struct symbol *out)
{
	bool entry_known = frame->entry && frame->entry <= addr;
	struct symtab_hit hit;

	if (symtab__find(&src->symbols, addr, &hit) && !(frame->name && entry_known && hit.start < frame->entry)) {
		out->name = readable(s, hit.name);
		out->offset = addr - hit.start;
	} else if (frame->name) {
		out->name = readable(s, frame->name);
		out->offset = entry_known ? addr - frame->entry : 0;
	}
}

static struct answer *look_up(struct symbolizer *s, const struct module *m, uint64_t offset)
{
	struct source *src = source_of(s, m);
	struct source_frame frames[MAX_FRAMES] = {};
	struct answer *a;
	uint64_t addr = 0;
	unsigned int i, n = 0;
	bool known;

	known = src && src->main.elf && elf_file__address(&src->main, offset, &addr);
	if (known && src->dwarf)
		n = debug_info__frames(src->dwarf, addr, frames, MAX_FRAMES);
	if (!n)
		n = 1;
	a = calloc(1, sizeof(*a) + n * sizeof(a->at[0]));
	if (!a)
		return NULL;
	a->module = m;
	a->offset = offset;
	a->n = n;
	for (i = 0; i < n; i++) {
		a->at[i].file = file_path(s, &frames[i]);
		a->at[i].line = frames[i].line;
		a->at[i].inlined = i + 1 < n;
		if (i + 1 < n)
			a->at[i].name = readable(s, frames[i].name);
	}
	if (known)
		name_function(s, src, addr, &frames[n - 1], &a->at[n - 1]);
	return a;
}

struct symbols symbolizer__lookup(struct symbolizer *s, const struct module *m, uint64_t offset)
{
	struct answer key = {.module = m, .offset = offset}, *a, **slot = tfind(&key, &s->answers, compare_answers);

	a = slot ? *slot : look_up(s, m, offset);
	if (!a)
		return (struct symbols){.at = &nothing, .n = 1};
	if (!slot && !tsearch(a, &s->answers, compare_answers)) {
		free(a);
		return (struct symbols){.at = &nothing, .n = 1};
	}
	return (struct symbols){.at = a->at, .n = a->n};
}
