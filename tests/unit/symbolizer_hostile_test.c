/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that are broken on purpose or by accident: names may be missing then, but nothing worse happens. */
#include "symbolize/spans.h"
#include "symbolizer_fixture.h"

/* Opening the FIFO would block for ever; alarm() in main() ends the test then. */
static void debug_link_to_a_fifo(void **state)
{
	(void)state;
	make_stripped("-Wl,--build-id=none");
	run("objcopy --add-gnu-debuglink=plain.debug stripped && rm plain.debug && mkfifo plain.debug");
	check_unnamed("stripped", must_find("plain", "mark"));
	run("rm plain.debug");
}

static void hostile_symbol_name(void **state)
{
	uint64_t from;

	(void)state;
	run("gcc -O1 $PWD/plain.c -o plain");
	run("objcopy --redefine-sym plain_function=\"$(printf '\\033[31mevil\\n')\" plain hostile");
	assert_string_equal(name_at("hostile", must_find("plain", "mark"), &from), "\\x1b[31mevil");
}

/* Names refer to themselves in a circle, blocks are nested 200000 deep, and there is no sibling to jump to. */
static void hostile_dwarf(void **state)
{
	struct symbolizer *s = symbolizer__new();
	struct symbols got;
	struct module m;

	(void)state;
	write_source("loop.s", ".text\n.globl code\ncode: nop\n nop\nend:\n"
			       ".section .debug_abbrev,\"\",@progbits\n"
			       ".uleb128 1,0x11\n.byte 1\n.uleb128 0x11,1,0x12,7,0,0\n"
			       ".uleb128 2,0x2e\n.byte 1\n.uleb128 0x11,1,0x12,7,0x31,0x13,0,0\n"
			       ".uleb128 3,0x0b\n.byte 1\n.uleb128 0,0\n"
			       ".byte 0\n"
			       ".section .debug_info,\"\",@progbits\n"
			       "cu: .long 3f - 2f\n2: .value 4\n.long 0\n.byte 8\n"
			       ".uleb128 1\n.quad code\n.quad end - code\n"
			       "sub: .uleb128 2\n.quad code\n.quad end - code\n.long sub - cu\n"
			       ".rept 200000\n.uleb128 3\n.endr\n"
			       "3:\n");
	run("gcc -nostdlib -static loop.s -o loop 2>/dev/null");
	m = open_module("loop");
	got = symbolizer__lookup(s, &m, must_find("loop", "code") + 1);
	assert_int_equal(got.n, 1);
	assert_symbol(&got.at[0], "code", NULL, 0);
	symbolizer__free(s);
	close_module(&m);
}

static void nothing_known(void **state)
{
	struct symbolizer *s = symbolizer__new();
	struct module closed = {.path = (char *)"/gone", .fd = -1, .root_fd = -1}, m;

	(void)state;
	run("gcc -O1 -g $PWD/plain.c -o plain && head -c 20000 /dev/urandom > noise && : > empty && "
	    "(printf '\\177ELF\\002\\001\\001'; head -c 20000 /dev/urandom) > noise.elf");
	check_unnamed("plain", UINT64_MAX);
	check_unnamed("plain", 0xffffff);
	check_unnamed("noise", 0x100);
	check_unnamed("noise.elf", 0x100);
	check_unnamed("empty", 0);
	check_unnamed("plain.c", 10);
	assert_nothing(symbolizer__lookup(s, &closed, 0x1000));
	m = closed;
	m.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_nothing(symbolizer__lookup(s, &m, 0x1000));
	close(m.fd);
	symbolizer__free(s);
	symbolizer__free(NULL);
}

/* Whatever is said about a broken file, it must be said without a crash (this is worth the most under ASan). */
static void survive(const char *name, uint64_t mark)
{
	struct symbolizer *s = symbolizer__new();
	struct module m = open_module(name);
	uint64_t offset;

	for (offset = mark - 16; offset < mark + 16; offset += 4)
		assert_true(symbolizer__lookup(s, &m, offset).n >= 1);
	symbolizer__free(s);
	close_module(&m);
}

static size_t read_all(const char *name, unsigned char *buf, size_t size)
{
	__cleanup_fclose FILE *f = fopen(in_dir(name), "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size, f);
	assert_true(n && n < size);
	return n;
}

static void truncated_files(void **state)
{
	static unsigned char bytes[1 << 20];
	uint64_t mark;
	size_t n, cut;

	(void)state;
	run("gcc -O2 -g $PWD/inline.c -o inlined");
	mark = must_find("inlined", "mark");
	n = read_all("inlined", bytes, sizeof(bytes));
	for (cut = 0; cut < n; cut += cut < 1024 ? 8 : 61) {
		write_bytes("broken", bytes, cut);
		survive("broken", mark);
	}
}

/* Bytes changed at random, but the same ones in each run: in the headers, the section table and the DWARF. */
static void corrupted_files(void **state)
{
	static unsigned char bytes[1 << 20], broken[1 << 20];
	uint32_t seed = 12345;
	uint64_t mark;
	size_t n, code;
	int round, i;

	(void)state;
	run("gcc -O2 -g $PWD/inline.c -o inlined");
	mark = must_find("inlined", "mark");
	n = read_all("inlined", bytes, sizeof(bytes));
	code = n / 2;
	for (round = 0; round < 600; round++) {
		memcpy(broken, bytes, n);
		for (i = 0; i < 1 + round % 20; i++) {
			seed = seed * 1664525u + 1013904223u;
			broken[round % 3 ? code + (seed >> 8) % (n - code) : (seed >> 8) % n] = (unsigned char)seed;
		}
		write_bytes("broken", broken, n);
		survive("broken", mark);
	}
}

static void nested_spans(void **state)
{
	struct spans s = {};

	(void)state;
	spans__add(&s, 10, 12, 3);
	spans__add(&s, 5, 20, 2);
	spans__add(&s, 0, 100, 1);
	spans__add(&s, 0, 50, 4);
	spans__add(&s, 7, 7, 9);
	spans__sort(&s);
	assert_int_equal(s.list.n, 4);
	assert_int_equal(spans__find(&s, 0)->ref, 4);
	assert_int_equal(spans__find(&s, 7)->ref, 2);
	assert_int_equal(spans__find(&s, 11)->ref, 3);
	assert_int_equal(spans__find(&s, 12)->ref, 2);
	assert_int_equal(spans__find(&s, 49)->ref, 4);
	assert_int_equal(spans__find(&s, 99)->ref, 1);
	assert_null(spans__find(&s, 100));
	spans__free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debug_link_to_a_fifo), cmocka_unit_test(hostile_symbol_name),
		cmocka_unit_test(hostile_dwarf),	cmocka_unit_test(nothing_known),
		cmocka_unit_test(truncated_files),	cmocka_unit_test(corrupted_files),
		cmocka_unit_test(nested_spans),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
