/* SPDX-License-Identifier: GPL-2.0-only */
/* Compiles small programs at run time and checks what is said about known instructions in them. */
#include <dlfcn.h>

#include "symbolize/demangle.h"
#include "symbolizer_fixture.h"

static void plain_c_function(void **state)
{
	static const char *const flags[] = {
		"-g -O1 -no-pie",
		"-g -O1 -pie -fPIE",
		"-gdwarf-4 -O1",
		"-g -gz=zlib -O1",
		"-g -O1 -no-pie -Wl,-z,separate-code -Wl,-Ttext-segment=0x10000000",
		"-g -O1 -no-pie -Wl,-z,noseparate-code -Wl,-Ttext-segment=0x7000000",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct module m;

		run("gcc %s $PWD/plain.c -o plain", flags[i]);
		m = open_module("plain");
		check_plain(&m, "plain", true);
		close_module(&m);
	}
}

/* However the compiler was called: the folder of the line table may be relative to the one it ran in. */
static void whole_source_path(void **state)
{
	static const char *const flags[] = {"-gdwarf-4", "-gdwarf-5"};
	size_t i;

	(void)state;
	run("mkdir -p sub && cp plain.c sub/");
	for (i = 0; i < 2; i++) {
		struct symbolizer *s = symbolizer__new();
		struct module m;

		run("gcc %s -O1 sub/plain.c -o plain", flags[i]);
		m = open_module("plain");
		assert_symbol(symbolizer__lookup(s, &m, must_find("plain", "mark")).at, "plain_function", "sub/plain.c",
			      3);
		symbolizer__free(s);
		close_module(&m);
	}
}

/* Its file offsets and addresses differ segment by segment; clang writes no .debug_aranges. */
static void lld_layout(void **state)
{
	struct module m;

	(void)state;
	skip_without("clang");
	skip_without("ld.lld");
	run("clang -g -O1 -fuse-ld=lld $PWD/plain.c -o plain_lld");
	m = open_module("plain_lld");
	check_plain(&m, "plain_lld", true);
	close_module(&m);
}

static void check_inlined(const char *compile)
{
	struct symbolizer *s = symbolizer__new();
	struct symbols got;
	struct module m;
	uint64_t mark;

	run("%s $PWD/inline.c -o inlined", compile);
	mark = must_find("inlined", "mark");
	m = open_module("inlined");
	got = symbolizer__lookup(s, &m, mark);
	assert_int_equal(got.n, 3);
	assert_symbol(&got.at[0], "innermost", "inline.c", 4);
	assert_symbol(&got.at[1], "middle", "inline.c", 9);
	assert_symbol(&got.at[2], "outer", "inline.c", 16);
	assert_true(got.at[0].inlined && got.at[1].inlined && !got.at[2].inlined);
	assert_int_equal(got.at[0].offset, 0);
	assert_int_equal(got.at[2].offset, mark - must_find("inlined", "outer"));
	symbolizer__free(s);
	close_module(&m);
}

static void inlined_frames(void **state)
{
	(void)state;
	check_inlined("gcc -O2 -g");
	check_inlined("gcc -O2 -gdwarf-4 -no-pie");
	check_inlined("gcc -O2 -g -flto");
	if (has("clang")) {
		check_inlined("clang -O2 -g");
		check_inlined("clang -O2 -gdwarf-4");
	}
}

static void cxx_function(void **state)
{
	struct symbolizer *s = symbolizer__new();
	struct symbols got;
	struct module m;

	(void)state;
	write_source("cxx.cc", "namespace ns {\n"
			       "struct S {\n"
			       "	template <typename T> inline __attribute__((always_inline)) T twice(T v)\n"
			       "	{\n"
			       "		__asm__ volatile(\"mark: nop\" : \"+r\"(v));\n"
			       "		return v + v;\n"
			       "	}\n"
			       "	__attribute__((noinline)) long f(int n, const char *s);\n"
			       "};\n"
			       "long S::f(int n, const char *s)\n"
			       "{\n"
			       "	return twice<long>(n + *s);\n"
			       "}\n"
			       "}\n"
			       "int main(int c, char **v) { return ns::S().f(c, v[0]); }\n");
	run("g++ -O2 -g $PWD/cxx.cc -o cxx");
	m = open_module("cxx");
	got = symbolizer__lookup(s, &m, must_find("cxx", "mark"));
	assert_int_equal(got.n, 2);
	assert_symbol(&got.at[0], "long ns::S::twice<long>(long)", "cxx.cc", 5);
	assert_symbol(&got.at[1], "ns::S::f(int, char const*)", "cxx.cc", 12);
	symbolizer__free(s);
	close_module(&m);
}

static void rust_function(void **state)
{
	static const char *const mangling[] = {"", "-C symbol-mangling-version=v0"};
	size_t i;

	(void)state;
	skip_without("rustc");
	write_source("crab.rs", "mod claw {\n"
				"    #[inline(never)]\n"
				"    pub fn pinch(n: usize) -> usize {\n"
				"        std::hint::black_box(n)\n"
				"    }\n"
				"}\n"
				"fn main() { claw::pinch(std::env::args().count()); }\n");
	for (i = 0; i < 2; i++) {
		struct symbolizer *s = symbolizer__new();
		struct symbols got;
		struct module m;

		run("rustc -g %s $PWD/crab.rs -o crab", mangling[i]);
		m = open_module("crab");
		got = symbolizer__lookup(s, &m, must_find("crab", "5pinch"));
		assert_int_equal(got.n, 1);
		assert_symbol(&got.at[0], "crab::claw::pinch", "crab.rs", 3);
		symbolizer__free(s);
		close_module(&m);
	}
}

static void demangled_names(void **state)
{
	char name[64], mangled[700] = "_Z1f", *at = mangled + 4;
	int i;

	(void)state;
	assert_string_equal(demangle(name, sizeof(name), "malloc"), "malloc");
	assert_string_equal(demangle(name, sizeof(name), "_Znwm"), "operator new(unsigned long)");
	assert_string_equal(demangle(name, sizeof(name), "_ZN3std2io5Write9write_fmt17h0123456789abcdefE"),
			    "std::io::Write::write_fmt");
	assert_string_equal(demangle(name, sizeof(name), "_RNvCs1234_7mycrate3foo"), "mycrate::foo");
	assert_string_equal(demangle(name, sizeof(name), "_Znonsense"), "_Znonsense");
	assert_string_equal(demangle(name, sizeof(name), "_ZN1AC1Ev.cold"), "A::A() [clone .cold]");
	assert_string_equal(demangle(name, 8, "_Znwm"), "oper...");
	assert_string_equal(demangle(name, 8, "not_mangled"), "not_man");
	/* Each argument is a pair of the one before: 2^60 names if it were printed to the end. */
	at += sprintf(at, "St4pairIiiE");
	for (i = 0; i < 60; i++)
		at += sprintf(at, i < 1 ? "S_IS0_S0_E" : "S_IS%c_S%c_E", i < 10 ? '0' + i : 'A' + (i - 10) % 26,
			      i < 10 ? '0' + i : 'A' + (i - 10) % 26);
	demangle(name, sizeof(name), mangled);
	assert_int_equal(strncmp(name, "f(std::pair<int, int>, std::pair<std::pair<int, int>", 52), 0);
	assert_string_equal(name + sizeof(name) - 4, "...");
}

/* An absolute link on the way: followed on the host, it would lead out of the target's root. */
static void debug_file_by_build_id(void **state)
{
	static const uint8_t id[] = {0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef};
	struct module m;

	(void)state;
	make_stripped("-Wl,--build-id=0x1234567890abcdef -no-pie -Wl,-Ttext-segment=0x10000000");
	check_unnamed("stripped", must_find("plain", "mark"));
	run("rm -rf root && mkdir -p root/usr/lib/debug root/elsewhere/12 && ln -s /elsewhere "
	    "root/usr/lib/debug/.build-id "
	    "&& cp plain.debug root/elsewhere/12/34567890abcdef.debug");
	m = open_module("stripped");
	m.root_fd = open(in_dir("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	check_plain(&m, "plain", true);
	memcpy(m.build_id, id, sizeof(id));
	m.build_id_len = sizeof(id);
	check_plain(&m, "plain", true);
	close_module(&m);
}

/* A file at the right place that is of another build must not lend its names. */
static void debug_file_of_another_build(void **state)
{
	struct symbolizer *s = symbolizer__new();
	struct module m;

	(void)state;
	make_stripped("-Wl,--build-id=0x1234567890abcdff");
	run("cp plain.debug other.debug");
	make_stripped("-Wl,--build-id=0x1234567890abcdef");
	run("rm -rf root && mkdir -p root/usr/lib/debug/.build-id/12 && "
	    "cp other.debug root/usr/lib/debug/.build-id/12/34567890abcdef.debug");
	m = open_module("stripped");
	m.root_fd = open(in_dir("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_nothing(symbolizer__lookup(s, &m, must_find("plain", "mark")));
	symbolizer__free(s);
	close_module(&m);
}

static void debug_file_by_link(void **state)
{
	static const char *const places[] = {"plain.debug", ".debug/plain.debug", "root/usr/lib/debug/bin/plain.debug"};
	struct module m;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		make_stripped("-Wl,--build-id=none");
		run("objcopy --add-gnu-debuglink=plain.debug stripped && mv plain.debug moved");
		run("rm -rf .debug root && mkdir -p .debug root/usr/lib/debug/bin && mv moved %s", places[i]);
		m = open_module("stripped");
		if (i == 2) {
			free(m.path);
			m.path = strdup("/bin/stripped");
			m.root_fd = open(in_dir("root"), O_PATH | O_DIRECTORY | O_CLOEXEC);
		}
		check_plain(&m, "plain", true);
		close_module(&m);
		run("printf x >> %s", places[i]);
		check_unnamed("stripped", must_find("plain", "mark"));
	}
}

/* Asked only when the user has named a server; here it is a folder, so that nothing goes out to the network. */
static void debug_file_from_debuginfod(void **state)
{
	char url[600];
	struct module m;

	(void)state;
	if (!dlopen("libdebuginfod.so.1", RTLD_NOW)) {
		print_message("SKIPPED %s: no libdebuginfod on this machine\n", __func__);
		skip();
	}
	make_stripped("-Wl,--build-id=0x1234567890abcdef1234567890abcdef12345678");
	run("mkdir -p server/buildid/1234567890abcdef1234567890abcdef12345678 && "
	    "mv plain.debug server/buildid/1234567890abcdef1234567890abcdef12345678/debuginfo");
	check_unnamed("stripped", must_find("plain", "mark"));
	snprintf(url, sizeof(url), "file://%s/", in_dir("server"));
	setenv("DEBUGINFOD_CACHE_PATH", in_dir("cache"), 1);
	setenv("DEBUGINFOD_URLS", url, 1);
	m = open_module("stripped");
	check_plain(&m, "plain", true);
	unsetenv("DEBUGINFOD_URLS");
	close_module(&m);
}

/* dwz moves what two files share to a third: the names of their inlined functions, for example. */
static void dwz_alternative_file(void **state)
{
	struct symbolizer *s;
	struct symbols got;
	struct module m;
	uint64_t mark;

	(void)state;
	skip_without("dwz");
	s = symbolizer__new();
	run("for i in 1 2 3; do gcc -O2 -g $PWD/inline.c -o two$i || exit 1; done; dwz -m common.dwz -M common.dwz "
	    "two1 two2 two3");
	mark = must_find("two1", "mark");
	m = open_module("two1");
	got = symbolizer__lookup(s, &m, mark);
	assert_int_equal(got.n, 3);
	assert_symbol(&got.at[0], "innermost", "inline.c", 4);
	symbolizer__free(s);
	run("rm common.dwz");
	s = symbolizer__new();
	got = symbolizer__lookup(s, &m, mark);
	assert_int_equal(got.n, 1);
	assert_symbol(&got.at[0], "outer", NULL, 0);
	symbolizer__free(s);
	close_module(&m);
}

/* The skeleton in the main file still has the lines. */
static void split_dwarf_without_dwo(void **state)
{
	struct module m;

	(void)state;
	run("gcc -O1 -g -gsplit-dwarf $PWD/plain.c -o plain && rm -f *.dwo");
	m = open_module("plain");
	check_plain(&m, "plain", true);
	close_module(&m);
}

static void only_dynamic_symbols(void **state)
{
	struct module m;

	(void)state;
	run("gcc -O1 -shared -fPIC $PWD/plain.c -o plain && strip -o stripped.so plain");
	assert_int_equal(offset_of("stripped.so", "plain_function", SHT_SYMTAB), 0);
	m = open_module("stripped.so");
	check_plain(&m, "plain", false);
	close_module(&m);
}

/* Of several names the one that people use; a symbol without size only where no other one reaches. */
static void which_symbol(void **state)
{
	uint64_t from, at;

	(void)state;
	write_source("names.s", ".text\n"
				".globl __thing, thing, __libc_thing\n.weak thing\n"
				".type __thing, @function\n.type thing, @function\n.type __libc_thing, @function\n"
				"__thing:\nthing:\n__libc_thing:\nlocal:\n.type local, @function\n nop\n"
				"label: nop\n nop\n"
				".size __thing, . - __thing\n.size thing, . - thing\n"
				".size __libc_thing, . - __libc_thing\n.size local, . - local\n"
				" nop\n"
				"bare: nop\n nop\n"
				".globl original\n.type original, @function\noriginal: nop\n.size original, 1\n"
				".symver original, v@@VER_1\n");
	write_source("names.map", "VER_1 { global: *; };\n");
	run("gcc -shared -nostdlib -Wl,--version-script=names.map names.s -o names.so");
	at = must_find("names.so", "__thing");
	assert_string_equal(name_at("names.so", at, &from), "thing");
	assert_string_equal(name_at("names.so", at + 2, &from), "thing");
	assert_int_equal(from, 2);
	assert_string_equal(name_at("names.so", at + 3, &from), "(none)");
	assert_string_equal(name_at("names.so", at + 5, &from), "bare");
	assert_int_equal(from, 1);
	assert_string_equal(name_at("names.so", at + 6, &from), "v");
	assert_string_equal(name_at("names.so", at + 7, &from), "(none)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_c_function),
		cmocka_unit_test(whole_source_path),
		cmocka_unit_test(lld_layout),
		cmocka_unit_test(inlined_frames),
		cmocka_unit_test(cxx_function),
		cmocka_unit_test(rust_function),
		cmocka_unit_test(demangled_names),
		cmocka_unit_test(debug_file_by_build_id),
		cmocka_unit_test(debug_file_of_another_build),
		cmocka_unit_test(debug_file_by_link),
		cmocka_unit_test(debug_file_from_debuginfod),
		cmocka_unit_test(dwz_alternative_file),
		cmocka_unit_test(split_dwarf_without_dwo),
		cmocka_unit_test(only_dynamic_symbols),
		cmocka_unit_test(which_symbol),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
