/* SPDX-License-Identifier: GPL-2.0-only */
/* symbolizer_fixture: small programs compiled at run time in a folder of their own, and what is said about them. */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <gelf.h>

#include "base/cleanup.h"
#include "select/module.h"
#include "symbolize/symbolizer.h"

static char dir[] = "/tmp/symbolizer_test.XXXXXX";

static const char inline_c[] = "#define ALWAYS static inline __attribute__((always_inline))\n"
			       "ALWAYS int innermost(int x)\n"
			       "{\n"
			       "	__asm__ volatile(\"mark: nop\" : \"+r\"(x));\n"
			       "	return x * 3;\n"
			       "}\n"
			       "ALWAYS int middle(int x)\n"
			       "{\n"
			       "	int y = innermost(x + 1);\n"
			       "	return y + 1;\n"
			       "}\n"
			       "__attribute__((noinline)) int outer(int x)\n"
			       "{\n"
			       "	{\n"
			       "		x += 5;\n"
			       "		return middle(x) + 2;\n"
			       "	}\n"
			       "}\n"
			       "int main(int argc, char **argv) { (void)argv; return outer(argc); }\n";

static const char plain_c[] = "__attribute__((noinline)) int plain_function(int x)\n"
			      "{\n"
			      "	__asm__ volatile(\"mark: nop\" : \"+r\"(x));\n"
			      "	return x;\n"
			      "}\n"
			      "int main(void) { return plain_function(0); }\n";

static inline void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline bool succeeds(const char *command)
{
	return system(command) == 0;
}

/* Run a shell command in the test's folder; it must succeed. */
static inline void run(const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	int n = snprintf(command, sizeof(command), "cd %s && ", dir);

	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, ap);
	va_end(ap);
	if (!succeeds(command))
		fail_msg("failed: %s", command);
}

static inline bool has(const char *program)
{
	char command[256];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
	return succeeds(command);
}

#define skip_without(program)                                                                                          \
	do {                                                                                                           \
		if (!has(program)) {                                                                                   \
			print_message("SKIPPED %s: no %s on this machine\n", __func__, program);                       \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)

static inline char *in_dir(const char *name)
{
	static char path[4][512];
	static unsigned int next;
	char *out = path[next++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", dir, name);
	return out;
}

static inline void write_bytes(const char *name, const void *bytes, size_t size)
{
	__cleanup_fclose FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
}

static inline void write_source(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static struct module open_module(const char *name)
{
	struct module m = {.path = strdup(name[0] == '/' ? name : in_dir(name)), .root_fd = -1};

	m.fd = open(m.path, O_RDONLY | O_CLOEXEC);
	assert_true(m.fd >= 0);
	return m;
}

static inline void close_module(struct module *m)
{
	cleanup__close(&m->fd);
	cleanup__close(&m->root_fd);
	free(m->path);
}

/*
 * File offset of the first symbol whose name has `part` in it, found by its section (the code under test goes by
 * segments). 0: none.
 */
static inline uint64_t offset_of(const char *name, const char *part, GElf_Word table)
{
	__cleanup_close int fd = open(name[0] == '/' ? name : in_dir(name), O_RDONLY);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	Elf_Scn *scn = NULL;
	uint64_t out = 0;
	GElf_Shdr shdr;

	while (!out && (scn = elf_nextscn(elf, scn))) {
		GElf_Sym sym;
		int i;

		assert_non_null(gelf_getshdr(scn, &shdr));
		for (i = 0; shdr.sh_type == table && !out && gelf_getsym(elf_getdata(scn, NULL), i, &sym); i++) {
			const char *s = elf_strptr(elf, shdr.sh_link, sym.st_name);
			GElf_Shdr in;

			if (!s || !strstr(s, part) || !sym.st_shndx || sym.st_shndx >= SHN_LORESERVE)
				continue;
			gelf_getshdr(elf_getscn(elf, sym.st_shndx), &in);
			out = sym.st_value - in.sh_addr + in.sh_offset;
		}
	}
	elf_end(elf);
	return out;
}

static inline uint64_t must_find(const char *name, const char *symbol)
{
	uint64_t offset = offset_of(name, symbol, SHT_SYMTAB);

	assert_int_not_equal(offset, 0);
	return offset;
}

static inline void assert_symbol(const struct symbol *s, const char *name, const char *file, unsigned int line)
{
	assert_non_null(s->name);
	assert_string_equal(s->name, name);
	if (file)
		assert_string_equal(s->file, in_dir(file));
	else
		assert_null(s->file);
	assert_int_equal(s->line, line);
}

static inline void assert_nothing(struct symbols got)
{
	assert_int_equal(got.n, 1);
	assert_null(got.at[0].name);
	assert_null(got.at[0].file);
	assert_int_equal(got.at[0].line, 0);
	assert_false(got.at[0].inlined);
}

/* `mark` of plain.c in program `name`, as symbolized; the symbol and line in it are where `from` has it. */
static inline void check_plain(struct module *m, const char *from, bool with_line)
{
	uint64_t mark = must_find(from, "mark"), start = must_find(from, "plain_function");
	struct symbolizer *s = symbolizer__new();
	struct symbols got = symbolizer__lookup(s, m, mark);

	assert_int_equal(got.n, 1);
	assert_symbol(&got.at[0], "plain_function", with_line ? "plain.c" : NULL, with_line ? 3 : 0);
	assert_int_equal(got.at[0].offset, mark - start);
	assert_false(got.at[0].inlined);
	assert_ptr_equal(symbolizer__lookup(s, m, mark).at, got.at);
	symbolizer__free(s);
}

/* plain, `stripped` without symbols, and plain.debug with them; a function has the same offset in all. */
static inline void make_stripped(const char *flags)
{
	run("gcc -O1 -g %s $PWD/plain.c -o plain", flags);
	run("rm -f plain.debug && objcopy --only-keep-debug plain plain.debug && strip -o stripped plain");
}

static inline void check_unnamed(const char *name, uint64_t offset)
{
	struct symbolizer *s = symbolizer__new();
	struct module m = open_module(name);

	assert_nothing(symbolizer__lookup(s, &m, offset));
	symbolizer__free(s);
	close_module(&m);
}

static inline const char *name_at(const char *program, uint64_t offset, uint64_t *from_start)
{
	static char name[256];
	struct symbolizer *s = symbolizer__new();
	struct module m = open_module(program);
	struct symbols got = symbolizer__lookup(s, &m, offset);

	assert_int_equal(got.n, 1);
	snprintf(name, sizeof(name), "%s", got.at[0].name ? got.at[0].name : "(none)");
	*from_start = got.at[0].offset;
	symbolizer__free(s);
	close_module(&m);
	return name;
}

static inline int set_up(void **state)
{
	(void)state;
	elf_version(EV_CURRENT);
	/* No test may ask the network. */
	unsetenv("DEBUGINFOD_URLS");
	if (!mkdtemp(dir))
		return -1;
	write_source("inline.c", inline_c);
	write_source("plain.c", plain_c);
	return 0;
}

static inline int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return succeeds(command) ? 0 : -1;
}
