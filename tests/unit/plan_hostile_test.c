/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that are broken, by accident or on purpose: a plan of them is refused or odd, and takes no time and no memory.
 */
#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "probe/elf_image.h"
#include "plan_families.h"
#include "symbolizer_fixture.h"

#define SOME_SECONDS 5 /* under sanitizers, on a busy machine; what is quadratic takes minutes */

static unsigned char *file; /* the one that is worked on */
static size_t size, room;

static void load(const char *name, size_t more)
{
	__cleanup_fclose FILE *f = fopen(in_dir(name), "r");

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = (size_t)ftell(f);
	rewind(f);
	room = size + more;
	free(file);
	file = calloc(1, room);
	assert_non_null(file);
	assert_int_equal(fread(file, 1, size, f), size);
}

static Elf64_Ehdr *header(void)
{
	return (Elf64_Ehdr *)file;
}

static Elf64_Shdr *section(uint32_t type)
{
	Elf64_Shdr *s = (Elf64_Shdr *)(file + header()->e_shoff);
	unsigned int i;

	for (i = 0; i < header()->e_shnum; i++) {
		if (s[i].sh_type == type)
			return &s[i];
	}
	fail_msg("no section of type %u", type);
	return NULL;
}

static Elf64_Sym *symbols(size_t *n)
{
	*n = section(SHT_DYNSYM)->sh_size / sizeof(Elf64_Sym);
	return (Elf64_Sym *)(file + section(SHT_DYNSYM)->sh_offset);
}

/* The dynamic symbol of this name. */
static Elf64_Sym *symbol(const char *name)
{
	const char *names =
		(const char *)file + ((Elf64_Shdr *)(file + header()->e_shoff))[section(SHT_DYNSYM)->sh_link].sh_offset;
	size_t n, i;
	Elf64_Sym *s = symbols(&n);

	for (i = 0; i < n; i++) {
		if (!strcmp(names + s[i].st_name, name))
			return &s[i];
	}
	fail_msg("no symbol %s", name);
	return NULL;
}

static int plan_it(struct plan *p, struct err *e)
{
	struct module m = {.path = (char *)"/lib/broken.so", .root_fd = -1};
	time_t start = time(NULL);
	int err;

	m.fd = memfd_create("broken", MFD_CLOEXEC);
	assert_true(m.fd >= 0);
	assert_int_equal(write(m.fd, file, size), size);
	e->text[0] = '\0';
	err = plan__make(p, &m, &(struct plan_request){.families = libc_only}, e);
	close(m.fd);
	if (time(NULL) - start > SOME_SECONDS)
		fail_msg("took %ld s", (long)(time(NULL) - start));
	/* Whatever it is, a failure is explained, and a plan is one that the BPF side can take. */
	assert_int_equal(e->text[0] != '\0', err && err != -ENOENT);
	assert_true(p->internal.n <= LT_MAX_RANGES);
	if (!err)
		assert_in_range(p->fns.n, 1, LT_MAX_FUNCTIONS);
	return err;
}

static int plan_of_file(char *why)
{
	struct plan p;
	struct err e;
	int err = plan_it(&p, &e);

	plan__free(&p);
	if (why)
		snprintf(why, sizeof(e.text), "%s", e.text);
	return err;
}

static const char tiny_s[] =
	".text\n"
	".macro fn name\n.globl \\name\n.type \\name, @function\n\\name:\n call malloc\n call free\n ret\n"
	".size \\name, . - \\name\n.endm\n"
	".irp name, malloc, free, calloc, realloc, memalign, __libc_start_main, other\nfn \\name\n.endr\n";

/* Passes for glibc, so that all of a plan is made. */
static int set_up_tiny(void **state)
{
	if (set_up(state))
		return -1;
	write_source("tiny.s", tiny_s);
	run("gcc -nostdlib -shared -Wl,-Bsymbolic -Wl,-soname,libc.so.6 -Wl,-z,noseparate-code -Wl,--build-id=none "
	    "tiny.s "
	    "-o tiny.so && strip tiny.so");
	return 0;
}

static int tear_down_tiny(void **state)
{
	free(file);
	return tear_down(state);
}

static void as_it_is(void **state)
{
	(void)state;
	load("tiny.so", 0);
	assert_int_equal(plan_of_file(NULL), 0);
}

static void truncated(void **state)
{
	size_t whole, cut;

	(void)state;
	load("tiny.so", 0);
	whole = size;
	for (cut = 0; cut < whole; cut += 16) {
		size = cut;
		plan_of_file(NULL);
	}
}

/* Symbols that point nowhere: the file has an allocator, so silence would be wrong. */
static void symbols_outside_of_the_code(void **state)
{
	static const uint64_t values[] = {0x10000000, UINT64_MAX, INT64_MAX, 0x8000000000000000};
	char why[1024];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		load("tiny.so", 0);
		symbol("realloc")->st_value = values[i];
		assert_int_not_equal(plan_of_file(why), 0);
		assert_non_null(strstr(why, "/lib/broken.so: its symbols make no sense"));
	}
	/* Sizes that wrap around the address space make no range. */
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct plan p;
		struct err e;
		u32 r;

		load("tiny.so", 0);
		symbol("realloc")->st_size = values[i];
		if (!plan_it(&p, &e)) {
			for (r = 0; r < p.internal.n; r++)
				assert_true(p.internal.ranges[r].start < p.internal.ranges[r].end);
		}
		plan__free(&p);
	}
}

/* 40000 functions, all of the same name. */
static void too_many_of_one_name(void **state)
{
	size_t n, i;
	Elf64_Sym *s;
	uint32_t name;

	(void)state;
	write_source("many.s",
		     ".text\n.altmacro\n.macro fn n\n.globl f\\n\n.type f\\n, @function\nf\\n: ret\n.endm\n"
		     ".set i, 0\n.rept 40000\nfn %i\n.set i, i + 1\n.endr\n"
		     ".globl malloc, free\n.type malloc, @function\n.type free, @function\nmalloc: ret\nfree: ret\n");
	run("gcc -nostdlib -shared -Wl,-soname,libc.so.6 -Wl,--build-id=none many.s -o many.so && strip many.so");
	load("many.so", 0);
	name = symbol("malloc")->st_name;
	s = symbols(&n);
	assert_true(n > 40000);
	for (i = 1; i < n; i++) {
		if (s + i != symbol("free") && i % 100)
			s[i].st_name = name;
	}
	assert_int_equal(plan_of_file(NULL), -E2BIG);
}

/* The same table of symbols, again and again. */
static void too_many_tables(void **state)
{
	const unsigned int n = 60000;
	Elf64_Shdr *sections, dynsym;
	unsigned int i;

	(void)state;
	load("many.so", n * sizeof(Elf64_Shdr) + 8);
	dynsym = *section(SHT_DYNSYM);
	sections = (Elf64_Shdr *)(file + header()->e_shoff);
	size = (size + 7) & ~7ul;
	memcpy(file + size, sections, header()->e_shnum * sizeof(*sections));
	for (i = header()->e_shnum; i < n; i++)
		memcpy(file + size + i * sizeof(dynsym), &dynsym, sizeof(dynsym));
	header()->e_shoff = size;
	header()->e_shnum = (Elf64_Half)n;
	size += n * sizeof(dynsym);
	plan_of_file(NULL);
}

/* Names without an end: each look at one would go through all of them. */
static void names_without_end(void **state)
{
	size_t n, i;
	Elf64_Shdr *names;
	Elf64_Sym *s;

	(void)state;
	load("many.so", 8 << 20);
	s = symbols(&n);
	for (i = 1; i < n; i++)
		s[i].st_name = (uint32_t)i;
	names = (Elf64_Shdr *)(file + header()->e_shoff) + section(SHT_DYNSYM)->sh_link;
	memset(file + size, 'x', 8 << 20);
	names->sh_offset = size;
	names->sh_size = 8 << 20;
	size += 8 << 20;
	plan_of_file(NULL);
}

/* The same code in as many segments as a file can have. */
static void too_many_segments(void **state)
{
	const unsigned int n = 60000;
	unsigned int i;

	(void)state;
	load("tiny.so", n * sizeof(Elf64_Phdr) + (4 << 20) + 8);
	size = ((size + 7) & ~7ul) + (4 << 20);
	for (i = 0; i < n; i++) {
		Elf64_Phdr ph = {.p_type = PT_LOAD, .p_flags = PF_X, .p_filesz = size, .p_memsz = size};

		memcpy(file + size + i * sizeof(ph), &ph, sizeof(ph));
	}
	header()->e_phoff = size;
	header()->e_phnum = (Elf64_Half)n;
	size += n * sizeof(Elf64_Phdr);
	plan_of_file(NULL);
}

/* The file as it is now, in a file of a tebibyte that is empty otherwise. */
static int plan_of_sparse_file(void)
{
	struct module m = {.path = (char *)"/lib/sparse.so", .root_fd = -1};
	time_t start = time(NULL);
	struct plan p;
	struct err e;
	int err;

	m.fd = memfd_create("sparse", MFD_CLOEXEC);
	assert_true(m.fd >= 0);
	assert_int_equal(write(m.fd, file, size), size);
	assert_int_equal(ftruncate(m.fd, 1ll << 40), 0);
	err = plan__make(&p, &m, &(struct plan_request){.families = libc_only}, &e);
	plan__free(&p);
	close(m.fd);
	assert_in_range(time(NULL) - start, 0, SOME_SECONDS);
	return err;
}

/* Tables and code that claim more memory than there is, in a file that is as large as they say, and empty. */
static void sparse_files(void **state)
{
	Elf64_Phdr *ph;

	(void)state;
	load("tiny.so", 0);
	section(SHT_DYNSYM)->sh_size = 24ull << 35;
	assert_int_equal(plan_of_sparse_file(), -ENOENT);
	load("tiny.so", 0);
	section(SHT_STRTAB)->sh_size = 1ull << 39;
	assert_int_equal(plan_of_sparse_file(), -ENOENT);
	load("tiny.so", 0);
	header()->e_shnum = 0;
	((Elf64_Shdr *)(file + header()->e_shoff))->sh_size = 1ull << 33;
	assert_int_equal(plan_of_sparse_file(), -ENOENT);
	load("tiny.so", 0);
	for (ph = (Elf64_Phdr *)(file + header()->e_phoff); !(ph->p_flags & PF_X); ph++)
		;
	ph->p_filesz = ph->p_memsz = 1ull << 40;
	/* Its own calls of malloc cannot be told from others': it is not hooked. */
	assert_int_equal(plan_of_sparse_file(), -E2BIG);
}

static int stop_at_once(const struct elf_fn *f, void *ctx)
{
	*(uint64_t *)ctx += f->vaddr;
	return 7;
}

/* Branches, and calls of one place. */
struct branches {
	uint64_t target;
	unsigned int all, calls;
};

static void count_branch(const struct elf_branch *b, void *ctx)
{
	struct branches *n = ctx;

	n->all++;
	if (b->is_call && b->target == n->target) {
		assert_int_equal(b->next - b->vaddr, 5);
		n->calls++;
	}
}

/* Cut short under our hands: a file that was mapped would now kill us. */
static void truncated_while_open(void **state)
{
	struct module m;
	struct branches n = {.target = 0x1000};
	struct elf_image *img;
	uint64_t sum = 0, offset, start, end;
	unsigned char code[16];
	int err;

	(void)state;
	run("cp tiny.so cut.so");
	m = open_module("cut.so");
	img = elf_image__open(&m, &err);
	assert_non_null(img);
	assert_int_equal(truncate(m.path, 100), 0);
	elf_image__each_function(img, stop_at_once, &sum);
	elf_image__soname(img);
	elf_image__is_dynamic(img);
	elf_image__file_offset(img, 0x1000, &offset);
	assert_int_equal(elf_image__read_code(img, 0x1000, code, sizeof(code)), 0);
	elf_image__piece(img, 0x1000, &start, &end);
	assert_int_equal(elf_image__each_branch(img, count_branch, &n), 0);
	assert_int_equal(n.all, 0);
	elf_image__close(img);
	close_module(&m);
}

/* Found wherever they are, also where one block of what is read meets the next. */
static void calls_at_any_place(void **state)
{
	struct branches n = {};
	struct elf_image *img;
	struct module m;
	int err;

	(void)state;
	write_source("calls.s", ".text\n.globl malloc\n.type malloc, @function\nmalloc: ret\n"
				".rept 20000\ncall malloc\nnop\n.endr\ncall malloc\n");
	run("gcc -nostdlib -shared -Wl,-Bsymbolic -Wl,-z,noseparate-code calls.s -o calls.so");
	m = open_module("calls.so");
	img = elf_image__open(&m, &err);
	assert_non_null(img);
	elf_image__each_function(img, stop_at_once, &n.target);
	assert_int_equal(elf_image__each_branch(img, count_branch, &n), 0);
	assert_int_equal(n.calls, 20001);
	n.target++;
	assert_int_equal(elf_image__each_branch(img, count_branch, &n), 0);
	assert_int_equal(n.calls, 20001);
	elf_image__close(img);
	close_module(&m);
}

/* The same ones in each run: some in headers and tables, some anywhere; single bits, odd values, whole words. */
static void mutate(uint32_t *seed)
{
	static const uint64_t odd[] = {0,	   1,	       0x7fffffff, 0xffffffff, 0x7fffffffffffffff,
				       UINT64_MAX, 1ull << 63, 0x1000};
	uint64_t value;
	size_t at;

	*seed = *seed * 1664525u + 1013904223u;
	at = (*seed >> 8) % 3 ? (*seed >> 10) % size : (*seed >> 10) % 64;
	if ((*seed >> 4) % 4 == 0)
		at = header()->e_shoff < size ? header()->e_shoff + (*seed >> 12) % (size - header()->e_shoff) : at;
	*seed = *seed * 1664525u + 1013904223u;
	value = odd[*seed >> 29];
	if (*seed & 0x100)
		file[at] = (unsigned char)(*seed >> 16);
	else if (*seed & 0x200)
		file[at] ^= (unsigned char)(1 << (*seed >> 16) % 8);
	else
		memcpy(file + at, &value, size - at < 8 ? size - at : 1ul << (*seed >> 18) % 4);
}

static void random_changes(void **state)
{
	uint32_t seed = 4711;
	unsigned char *whole;
	unsigned int round, i, fine = 0;

	(void)state;
	load("tiny.so", 0);
	whole = malloc(size);
	memcpy(whole, file, size);
	for (round = 0; round < 8000; round++) {
		memcpy(file, whole, size);
		for (i = 0; i < 1 + round % 8; i++)
			mutate(&seed);
		fine += plan_of_file(NULL) == 0;
	}
	/* They reach all of the planning, not just its first check. */
	assert_in_range(fine, 1000, 7500);
	free(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_is),
		cmocka_unit_test(truncated),
		cmocka_unit_test(symbols_outside_of_the_code),
		cmocka_unit_test(too_many_of_one_name),
		cmocka_unit_test(too_many_tables),
		cmocka_unit_test(names_without_end),
		cmocka_unit_test(too_many_segments),
		cmocka_unit_test(sparse_files),
		cmocka_unit_test(truncated_while_open),
		cmocka_unit_test(calls_at_any_place),
		cmocka_unit_test(random_changes),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, set_up_tiny, tear_down_tiny);
}
