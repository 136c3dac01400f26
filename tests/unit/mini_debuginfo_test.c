/* SPDX-License-Identifier: GPL-2.0-only */
/* Symbols from .gnu_debugdata, in files made as GDB's manual says, and in hostile ones. */
#include <errno.h>
#include <zlib.h>

#include "base/clock.h"
#include "select/mini_debuginfo.h"
#include "select/untrusted_elf.h"
#include "symbolizer_fixture.h"

#define PLENTY (1ull << 30)

/* plain; and mini, without .symtab and debug file, but with those of its functions that .dynsym lacks. */
static void make_mini(const char *flags)
{
	run("gcc -O1 %s $PWD/plain.c -o plain", flags);
	run("nm -D plain --format=posix --defined-only | awk '{ print $1 }' | sort >dynamic && "
	    "nm plain --format=posix --defined-only | awk '$2 ~ /[Tt]/ { print $1 }' | sort >functions && "
	    "comm -13 dynamic functions >keep");
	run("rm -f table table.xz && objcopy --only-keep-debug plain only && "
	    "objcopy -S --remove-section .comment --keep-symbols=keep only table && xz -k -T1 table");
	run("strip --strip-all -R .comment plain -o mini && "
	    "objcopy --add-section .gnu_debugdata=table.xz mini && ! nm mini 2>/dev/null | grep -q .");
}

/* mini with other content in the section. */
static void put_section(const char *content)
{
	run("strip --strip-all plain -o mini && objcopy --add-section .gnu_debugdata=%s mini", content);
}

static int open_mini(const char *name, uint64_t *memory)
{
	__cleanup_close int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);
	Elf *elf = untrusted_elf__begin(fd);
	int mini = elf ? mini_debuginfo__open(elf, memory) : -EINVAL;

	elf_end(elf);
	return mini;
}

/* What comes of it, in a time and with memory that are bounded. */
static int open_hostile(void)
{
	uint64_t memory = PLENTY, begin = clock__mono_ns();
	int fd = open_mini("mini", &memory);

	assert_true(clock__mono_ns() - begin < 20 * NSEC_PER_SEC);
	if (fd < 0) {
		assert_int_equal(memory, PLENTY);
		return fd;
	}
	close(fd);
	return 0;
}

static void names_from_mini_debuginfo(void **state)
{
	static const char *const flags[] = {"-no-pie", "-pie -fPIE", "-no-pie -Wl,-z,noseparate-code",
					    "-no-pie -Wl,-Ttext-segment=0x10000000"};
	size_t i;

	(void)state;
	skip_without("xz");
	for (i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct module m;

		make_mini(flags[i]);
		m = open_module("mini");
		check_plain(&m, "plain", false);
		close_module(&m);
	}
}

static void whole_content(void **state)
{
	uint64_t memory = PLENTY, size;
	char command[512];
	struct stat st;
	int fd;

	(void)state;
	skip_without("xz");
	make_mini("-no-pie");
	fd = open_mini("mini", &memory);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	snprintf(command, sizeof(command), "cmp -s /proc/%d/fd/%d %s", getpid(), fd, in_dir("table"));
	assert_true(succeeds(command));
	assert_int_equal(fstat(fd, &st), 0);
	size = (uint64_t)st.st_size;
	assert_int_equal(memory, PLENTY - size);
	close(fd);
	/* What may be spent is spent, and no more. */
	memory = size;
	fd = open_mini("mini", &memory);
	assert_true(fd >= 0);
	assert_int_equal(memory, 0);
	close(fd);
	assert_int_equal(open_mini("mini", &memory), -EFBIG);
	memory = size - 1;
	assert_int_equal(open_mini("mini", &memory), -EFBIG);
	assert_int_equal(memory, size - 1);
	memory = PLENTY;
	assert_int_equal(open_mini("plain", &memory), -ENOENT);
}

/* A file with a table of its own needs no other. */
static void symtab_comes_first(void **state)
{
	struct module m;

	(void)state;
	skip_without("xz");
	make_mini("-no-pie");
	run("echo garbage >bad && objcopy --add-section .gnu_debugdata=bad plain both");
	m = open_module("both");
	check_plain(&m, "plain", false);
	close_module(&m);
}

static void bombs(void **state)
{
	(void)state;
	skip_without("xz");
	make_mini("-no-pie");
	run("head -c 20M /dev/zero | xz -1 -T1 >bomb");
	put_section("bomb");
	assert_int_equal(open_hostile(), -EFBIG);
	/* A real table in front of it. */
	run("(cat table; head -c 20M /dev/zero) | xz -1 -T1 >bomb");
	put_section("bomb");
	assert_int_equal(open_hostile(), -EFBIG);
	check_unnamed("mini", must_find("plain", "mark"));
	/* No exaggeration, but larger than any table. */
	run("head -c 1M /dev/urandom >piece && for i in $(seq 65); do cat piece; done | xz -1 -T1 >bomb");
	put_section("bomb");
	assert_int_equal(open_hostile(), -EFBIG);
	run("rm bomb piece");
}

static size_t read_packed(unsigned char *bytes, size_t size)
{
	__cleanup_fclose FILE *f = fopen(in_dir("table.xz"), "r");
	size_t n;

	assert_non_null(f);
	n = fread(bytes, 1, size, f);
	assert_in_range(n, 64, size - 1);
	return n;
}

/* The decoder is asked for a window of 4 GiB: the dictionary byte of the only filter (.xz format 3.1 and 5.3.1). */
static void greedy_window(void **state)
{
	static unsigned char bytes[65536];
	uint32_t crc;
	size_t n;

	(void)state;
	skip_without("xz");
	make_mini("-no-pie");
	n = read_packed(bytes, sizeof(bytes));
	assert_memory_equal(bytes + 12, "\x02\x00\x21\x01", 4);
	bytes[16] = 40;
	crc = (uint32_t)crc32(0, bytes + 12, 8);
	memcpy(bytes + 20, &crc, sizeof(crc));
	write_bytes("greedy", bytes, n);
	put_section("greedy");
	assert_int_equal(open_hostile(), -EFBIG);
}

static void broken_content(void **state)
{
	static unsigned char bytes[65536], broken[65536];
	uint32_t seed = 4711;
	size_t n, cut;
	int round;

	(void)state;
	skip_without("xz");
	make_mini("-no-pie");
	n = read_packed(bytes, sizeof(bytes));
	for (cut = 1; cut < n; cut += cut < 40 ? 5 : 97) {
		write_bytes("broken", bytes, cut);
		put_section("broken");
		assert_int_equal(open_hostile(), -EINVAL);
	}
	for (round = 0; round < 30; round++) {
		memcpy(broken, bytes, n);
		seed = seed * 1664525u + 1013904223u;
		broken[(seed >> 8) % n] ^= (unsigned char)(1 + round);
		write_bytes("broken", broken, n);
		put_section("broken");
		/* The checksums see it. */
		assert_true(open_hostile() < 0);
	}
	run("head -c 5000 /dev/urandom >broken");
	put_section("broken");
	assert_int_equal(open_hostile(), -EINVAL);
	check_unnamed("mini", must_find("plain", "mark"));
}

/* Well packed, but what is in it is no usable table. */
static void hostile_table(void **state)
{
	static unsigned char table[1 << 20];
	uint32_t seed = 815;
	uint64_t mark;
	size_t n, i;
	int round;

	(void)state;
	skip_without("xz");
	make_mini("-no-pie");
	mark = must_find("plain", "mark");
	run("echo hello | xz >text.xz");
	put_section("text.xz");
	check_unnamed("mini", mark);
	run("xz <table.xz >twice.xz");
	put_section("twice.xz");
	check_unnamed("mini", mark);
	for (round = 0; round < 30; round++) {
		__cleanup_fclose FILE *f = fopen(in_dir("table"), "r");
		struct symbolizer *s = symbolizer__new();
		struct module m;

		n = fread(table, 1, sizeof(table), f);
		for (i = 0; i < 20; i++) {
			seed = seed * 1664525u + 1013904223u;
			table[(seed >> 8) % n] = (unsigned char)seed;
		}
		write_bytes("hostile", table, n);
		run("xz -fk -T1 hostile");
		put_section("hostile.xz");
		m = open_module("mini");
		assert_true(symbolizer__lookup(s, &m, mark).n >= 1);
		symbolizer__free(s);
		close_module(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_from_mini_debuginfo),
		cmocka_unit_test(whole_content),
		cmocka_unit_test(symtab_comes_first),
		cmocka_unit_test(bombs),
		cmocka_unit_test(greedy_window),
		cmocka_unit_test(broken_content),
		cmocka_unit_test(hostile_table),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
