/* SPDX-License-Identifier: GPL-2.0-only */
/* Where unwind information is found: the same table by every way that leads to it, without section headers, too. */
#include <link.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "symbolizer_fixture.h"
#include "unwind_golden.h"
#include "unwind_image.h"

static unsigned char *file;
static size_t size;

static void load(const char *path)
{
	__cleanup_fclose FILE *f = fopen(path, "r");
	struct stat st;

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	size = (size_t)st.st_size;
	free(file);
	/* Room for program headers at the end. */
	file = calloc(1, size + 4096);
	assert_non_null(file);
	assert_int_equal(fread(file, 1, size, f), size);
}

static Elf64_Ehdr *header(void)
{
	return (Elf64_Ehdr *)file;
}

static Elf64_Phdr *segment(uint32_t type)
{
	Elf64_Phdr *ph = (Elf64_Phdr *)(file + header()->e_phoff);
	unsigned int i;

	for (i = 0; i < header()->e_phnum; i++) {
		if (ph[i].p_type == type)
			return &ph[i];
	}
	fail_msg("no segment of type %#x", type);
	return NULL;
}

static void no_sections(void)
{
	header()->e_shoff = 0;
	header()->e_shnum = 0;
	header()->e_shstrndx = 0;
}

static struct unwind_table original;

static void same_as_original(void)
{
	struct unwind_table t;

	assert_int_equal(build_from_bytes(&t, file, size, true), 0);
	assert_int_equal(t.rows.n, original.rows.n);
	assert_int_equal(t.base, original.base);
	assert_memory_equal(t.rows.at, original.rows.at, t.rows.n * sizeof(*t.rows.at));
	assert_int_equal(t.bad, 0);
	unwind_table__free(&t);
}

static void in_file(const char *path)
{
	unsigned char *hdr;

	load(path);
	assert_int_equal(build_from_bytes(&original, file, size, true), 0);
	if (original.without_rows)
		return;

	no_sections();
	same_as_original();

	/* Without the table, up to the terminator. */
	hdr = file + segment(PT_GNU_EH_FRAME)->p_offset;
	hdr[2] = hdr[3] = 0xff;
	same_as_original();

	/* By the section's name. */
	load(path);
	segment(PT_GNU_EH_FRAME)->p_type = PT_NULL;
	same_as_original();

	/* Program headers at the end. */
	load(path);
	memcpy(file + size, file + header()->e_phoff, header()->e_phnum * sizeof(Elf64_Phdr));
	memset(file + header()->e_phoff, 0, header()->e_phnum * sizeof(Elf64_Phdr));
	header()->e_phoff = size;
	size += 4096;
	same_as_original();
	unwind_table__free(&original);
}

static int n_files;

static int each_library(struct dl_phdr_info *info, size_t n, void *ctx)
{
	(void)n;
	(void)ctx;
	if (info->dlpi_name[0] == '/') {
		in_file(info->dlpi_name);
		n_files++;
	}
	return 0;
}

static void every_way_is_the_same(void **state)
{
	(void)state;
	dl_iterate_phdr(each_library, NULL);
	assert_true(n_files > 3);
}

static void neither_way(void **state)
{
	struct unwind_table t;

	(void)state;
	load("/proc/self/exe");
	no_sections();
	segment(PT_GNU_EH_FRAME)->p_type = PT_NULL;
	assert_int_equal(build_from_bytes(&t, file, size, true), 0);
	assert_int_equal(t.without_rows, 1);
	assert_int_equal(t.rows.n, 0);
	unwind_table__free(&t);
}

static const char functions_c[] = "int g(int *p);\n"
				  "int f(int n) { int a[n]; return g(a) + n; }\n"
				  "int h(int n) { return f(n) * f(n + 1) + 1; }\n";

/* All that libdw finds in .debug_frame is the same here. */
static void compare_debug_frame(const char *name)
{
	struct unwind_table t;
	struct golden g;
	uint64_t end;
	uint32_t rule;
	size_t i, compared = 0;

	build_table(&t, in_dir(name), true);
	assert_int_equal(t.without_rows, 0);
	assert_true(golden__open(&g, in_dir(name), true));
	for (i = 0; i < t.rows.n; i++) {
		if (golden__rule(&g, t.base + t.rows.at[i].pc, &rule, &end)) {
			assert_int_equal(rule, t.rows.at[i].rule);
			compared++;
		} else {
			assert_true(t.rows.at[i].rule == LT_RULE_GUESS || t.rows.at[i].rule == LT_RULE_NONE);
		}
	}
	assert_true(compared > 10);
	golden__close(&g);
	unwind_table__free(&t);
}

static void debug_frame(void **state)
{
	(void)state;
	skip_without("gcc");
	write_source("functions.c", functions_c);
	run("gcc -g -O1 -fPIC -shared -nostdlib -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-exceptions "
	    "-Wl,-z,undefs functions.c -o debug.so");
	compare_debug_frame("debug.so");
	run("gcc -g -gz=zlib -O1 -fPIC -shared -nostdlib -fno-asynchronous-unwind-tables -fno-unwind-tables "
	    "-fno-exceptions -Wl,-z,undefs functions.c -o compressed.so");
	compare_debug_frame("compressed.so");
}

static int tear_down_all(void **state)
{
	free(file);
	return tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_is_the_same),
		cmocka_unit_test(neither_way),
		cmocka_unit_test(debug_frame),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down_all);
}
