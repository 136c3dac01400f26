/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which instruction is chosen in functions of Debian's allocators: the beginning of each, and a ret. So, too, where the
 * same function begins with endbr64, as those of Ubuntu and Fedora do.
 */
#include "place_fixture.h"

#define FREES 0 /* all others allocate */
#define RDI   (1u << GPR_RDI)
#define RSI   (1u << GPR_RSI)
#define RDX   (1u << GPR_RDX)

struct real_function {
	const char *of;
	uint32_t arguments;
	uint32_t offset;
	enum place_why why;
	uint32_t sp_offset;
	const char *hex;
};

static const struct real_function functions[] = {
	{"free of glibc 2.31", FREES, 0x11, PLACE_FIRST, 24,
	 "48 83 ec 18 48 8b 05 dd 7a 14 00 48 8b 00 48 85 c0 0f 85 81 00 00 00 48 85 ff 74 74 48 8b 47 f8 "
	 "48 8d 77 f0 a8 02 75 38 48 8b 15 39 79 14 00 64 48 83 3a 00 0f 84 9e 00 00 00 c3"},
	{"malloc of glibc 2.31", RDI, 0x7, PLACE_FIRST, 0,
	 "48 8b 05 09 81 14 00 41 54 55 48 89 fd 53 48 8b 00 48 85 c0 0f 85 46 01 00 00 48 85 ff 0f 88 1d "
	 "01 00 00 48 8d 47 17 31 db 48 83 f8 1f 0f 87 7d 00 00 00 4c 8b 25 5e 7f 14 00 64 49 8b 04 24 c3"},
	{"free of glibc 2.36", FREES, 0x9, PLACE_NOT_ZERO, 0,
	 "48 85 ff 0f 84 bf 00 00 00 55 48 8d 77 f0 53 48 83 ec 18 48 8b 1d d6 9e 13 00 48 8b 47 f8 64 8b "
	 "2b a8 02 75 5b 48 8b 15 5c 9e 13 00 64 48 83 3a 00 0f 84 99 00 00 00 48 8d 3d 32 ad 13 00 a8 04 "
	 "c3"},
	{"malloc of glibc 2.36", RDI, 0x0, PLACE_ENTRY, 0,
	 "41 54 55 53 48 89 fb 48 83 ec 10 80 3d 46 1b 14 00 00 0f 84 f8 01 00 00 48 85 db 0f 88 fd 01 00 "
	 "00 48 8d 43 17 31 ed 48 83 f8 1f 76 0c 48 83 e0 f0 48 8d 68 ef 48 c1 ed 04 4c 8b 25 08 a4 13 00 "
	 "c3"},
	{"reallocarray of glibc 2.36", RDI | RSI | RDX, 0x0, PLACE_REGISTERS, 0,
	 "48 89 f0 48 f7 e2 48 89 c6 70 05 e9 40 b8 f8 ff 48 8b 05 e9 85 13 00 64 c7 00 0c 00 00 00 31 c0 "
	 "c3"},
	{"posix_memalign of glibc 2.36", RDI | RDX, 0x7, PLACE_FIRST, 0,
	 "80 3d 01 02 14 00 00 41 54 49 89 d4 55 48 89 fd 53 48 89 f3 74 5a 48 89 da 48 c1 ea 03 48 8d 42 "
	 "ff 48 21 d0 48 89 da 83 e2 07 48 09 d0 75 31 48 85 db 74 2c 4c 89 e6 48 89 df e8 91 e9 ff ff c3"},
	{"aligned_alloc of glibc 2.36", RSI, 0x7, PLACE_FIRST, 0,
	 "80 3d 71 0e 14 00 00 74 07 e9 32 f6 ff ff 66 90 48 83 ec 18 48 89 74 24 08 48 89 3c 24 e8 be bc "
	 "ff ff 48 8b 74 24 08 48 8b 3c 24 48 83 c4 18 e9 0c f6 ff ff"},
	{"free of glibc 2.41", FREES, 0x9, PLACE_NOT_ZERO, 0,
	 "48 85 ff 0f 84 7f 01 00 00 41 57 41 56 41 55 41 54 55 48 8d 6f f0 53 48 83 ec 28 4c 8b 25 0e 1e "
	 "14 00 48 8b 47 f8 64 45 8b 2c 24 a8 02 0f 85 ed 00 00 00 4c 8b 35 8e 1d 14 00 64 49 83 3e 00 c3"},
	{"free of glibc 2.43", FREES, 0xd, PLACE_NOT_ZERO, 0,
	 "48 85 ff 0f 84 e7 00 00 00 40 f6 c7 0f 0f 85 cd 00 00 00 4c 8b 47 f8 4d 89 c2 49 83 e2 f8 4c 3b "
	 "15 f3 1f 14 00 49 8d 4a e0 73 7b 48 8b 35 ae 8f 14 00 48 39 77 08 0f 84 bc 00 00 00 c3"},
	{"malloc of glibc 2.43", RDI, 0x3, PLACE_FIRST, 0,
	 "48 85 ff 78 71 48 8d 47 17 48 8b 15 38 25 14 00 48 83 f8 1f 76 5a 48 83 e0 f0 48 39 d0 73 57 48 "
	 "89 c2 48 c1 ea 04 48 83 ea 02 48 83 fa 3f 77 58 48 8b 05 a9 20 14 00 48 8d 72 12 64 48 8b 08 c3"},
	{"realloc of glibc 2.43", RDI | RSI, 0x6, PLACE_FIRST, 0,
	 "49 89 f1 48 85 ff 0f 84 44 03 00 00 41 57 49 89 f8 41 56 41 55 41 54 55 53 48 83 ec 38 48 85 f6 "
	 "0f 84 3a 03 00 00 48 8b 47 f8 48 89 c2 48 89 c6 48 83 e2 f8 83 e6 02 0f 85 13 01 00 00 c3"},
	{"free of musl 1.2.2", FREES, 0x0, PLACE_ENTRY, 0, "e9 cb 0a 00 00"},
	{"free of musl 1.2.5", FREES, 0x4, PLACE_FIRST, 0, "f3 0f 1e fa e9 d7 09 00 00"},
	{"calloc of musl 1.2.5", RDI | RSI, 0x4, PLACE_FIRST, 0,
	 "f3 0f 1e fa 41 54 55 53 48 89 f3 48 85 f6 74 0c 48 89 f0 48 f7 e7 0f 80 e5 00 00 00 48 0f af df "
	 "48 89 df e8 68 d5 ff ff 49 89 c4 48 85 c0 0f 84 d8 00 00 00 8b 05 06 35 0a 00 85 c0 75 10 c3"},
	{"aligned_alloc of musl 1.2.5 as Alpine builds it", RSI, 0x4, PLACE_FIRST, 0,
	 "48 8d 47 ff 55 53 51 48 85 f8 74 0d e8 26 69 ff ff c7 00 16 00 00 00 eb 2e 48 ba ff ff ff ff 07 "
	 "00 00 00 48 89 f8 48 89 f5 48 01 f0 0f 92 c0 0f b6 c0 48 39 fa 72 05 48 85 c0 74 13 c3"},
	{"posix_memalign of musl 1.2.5 as Alpine builds it", RDI | RDX, 0x0, PLACE_ENTRY, 0,
	 "53 b8 16 00 00 00 48 89 fb 48 89 f7 48 83 fe 07 76 1b 48 89 d6 e8 82 ce fe ff 48 85 c0 75 09 e8 "
	 "6a 4d ff ff 8b 00 eb 05 48 89 03 31 c0 5b c3"},
	{"malloc of jemalloc 5.2.1", RDI, 0xb, PLACE_FIRST, 0,
	 "48 8b 05 01 b8 09 00 64 80 38 00 0f 85 cb 00 00 00 48 81 ff 00 10 00 00 0f 87 be 00 00 00 64 83 "
	 "a8 f8 01 00 00 01 0f 88 b0 00 00 00 48 8d 0d 3d f8 2b 00 48 8d 57 07 48 8d 35 72 fa 2b 00 c3"},
	{"free of jemalloc 5.2.1", FREES, 0xb, PLACE_FIRST, 0,
	 "48 8b 15 91 72 09 00 64 80 3a 00 75 41 48 89 f8 48 89 f9 48 c1 e8 1a 48 81 e1 00 00 00 c0 25 f0 "
	 "00 00 00 64 48 03 04 25 00 00 00 00 48 01 d0 48 3b 48 30 75 19 48 89 fe 4c 8b 40 38 48 c1 ee 0c "
	 "c3"},
	{"malloc of jemalloc 5.3.0", RDI, 0xb, PLACE_FIRST, 0,
	 "f3 0f 1e fa 48 81 ff 00 10 00 00 0f 87 7f 00 00 00 48 8d 15 d8 89 10 00 48 8d 47 07 48 8b 0d c5 "
	 "a0 0a 00 48 c1 e8 03 48 8d 35 02 8c 10 00 44 0f b6 04 02 64 4c 8b 91 38 03 00 00 4e 03 14 c6 c3"},
	{"free of jemalloc 5.3.0", FREES, 0x34, PLACE_FIRST, 0,
	 "f3 0f 1e fa 48 89 f8 48 8b 0d 6a 5d 0a 00 48 89 fa 48 c1 e8 17 48 81 e2 00 00 00 f8 25 f0 00 00 "
	 "00 64 48 03 04 25 00 00 00 00 48 01 c8 48 3b 90 b0 01 00 00 0f 85 86 00 00 00 48 89 fe c3"},
	{"sdallocx of jemalloc 5.3.0", FREES, 0xb, PLACE_FIRST, 0,
	 "f3 0f 1e fa 48 81 fe 00 10 00 00 0f 87 8f 00 00 00 85 d2 0f 85 87 00 00 00 f7 c7 ff 0f 00 00 74 "
	 "7f 48 8d 0d 38 b1 0f 00 48 8d 46 07 4c 8b 05 25 c8 09 00 48 c1 e8 03 4c 8d 15 62 b3 0f 00 c3"},
	{"malloc of tcmalloc 2.10", RDI, 0xa, PLACE_FIRST, 0,
	 "48 8b 05 59 ab 00 00 48 85 c0 75 75 48 8b 05 05 a1 00 00 64 4c 8b 00 4d 85 c0 74 65 48 81 ff 00 "
	 "04 00 00 77 53 83 c7 07 c1 ef 03 48 8d 05 ae 81 1b 00 0f b6 34 38 48 89 f0 89 f2 48 c1 e0 05 c3"},
	{"free of tcmalloc 2.10", FREES, 0xa, PLACE_FIRST, 0,
	 "48 8b 05 59 b1 1b 00 48 85 c0 0f 85 90 00 00 00 48 89 fa 48 8b 05 3e bd 00 00 48 8d 0d 9f 0c 01 "
	 "00 48 c1 ea 0d 0f b7 f2 64 4c 8b 48 08 49 89 d2 48 8b 04 f1 66 45 31 d2 4c 31 d0 41 89 c0 c3"},
	{"malloc of tcmalloc 2.16", RDI, 0xe, PLACE_FIRST, 0,
	 "f3 0f 1e fa 48 8b 05 75 91 00 00 48 85 c0 75 79 48 8b 05 09 8a 00 00 64 4c 8b 00 4d 85 c0 74 69 "
	 "48 81 ff 00 04 00 00 77 57 83 c7 07 c1 ef 03 48 8d 05 ca 27 1b 00 0f b6 34 38 48 89 f0 89 f2 c3"},
	{"free of tcmalloc 2.16 as Ubuntu builds it", FREES, 0xe, PLACE_FIRST, 0,
	 "f3 0f 1e fa 48 8b 05 b5 a3 1b 00 48 85 c0 0f 85 ac 02 00 00 48 8b 05 45 ec 00 00 55 48 89 fa 48 "
	 "c1 ea 0d 64 48 8b 08 48 89 f8 48 c1 e8 30 48 89 e5 0f 85 95 00 00 00 44 0f b7 c2 c3"},
	{"mi_free of mimalloc 2.0.9", FREES, 0x4c, PLACE_NOT_ZERO, 0,
	 "48 89 f9 48 85 ff 74 5d 48 8d 7f ff 48 89 c8 48 81 e7 00 00 00 fe 48 29 f8 48 c1 e8 10 48 8d 04 "
	 "80 48 c1 e0 04 48 8d b0 08 01 00 00 64 4c 8b 04 25 00 00 00 00 48 8b 97 00 01 00 00 8b 84 07 0c "
	 "01 00 00 48 29 c6 48 01 fe 49 39 d0 75 32 80 7e 0e 00 75 3c 48 8b 46 20 48 89 01 83 6e 18 01 48 "
	 "89 4e 20 74 0b c3 66 2e 0f 1f 84 00 00 00 00 00 48 89 f7 e9 d8 ef ff ff 0f 1f 84 00 00 00 00 00 "
	 "31 d2 e9 29 fe ff ff 66 0f 1f 84 00 00 00 00 00 ba 01 00 00 00 e9 16 fe ff ff"},
	{"mi_malloc of mimalloc 2.0.9", RDI, 0x15, PLACE_FIRST, 0,
	 "48 8b 05 49 b4 00 00 48 89 fe 64 48 8b 38 48 81 fe 00 04 00 00 77 29 48 8d 46 07 48 c1 e8 03 48 "
	 "8b 44 c7 08 48 8b 50 10 48 85 d2 74 23 48 8b 0a 83 40 18 01 48 89 48 10 48 89 d0 c3 0f 1f 40 00 "
	 "31 c9 31 d2 e9 97 f9 ff ff 0f 1f 80 00 00 00 00 31 c9 e9 89 f9 ff ff"},
	{"mi_realloc of mimalloc 2.0.9", RDI | RSI, 0x14, PLACE_FIRST, 0,
	 "48 8b 05 49 a9 00 00 48 89 f2 48 89 fe 64 48 8b 00 48 89 c7 e9 f7 4e ff ff"},
	{"mi_heap_malloc of mimalloc 2.0.9", RSI, 0x7, PLACE_FIRST, 0,
	 "48 81 fe 00 04 00 00 77 27 48 8d 46 07 48 c1 e8 03 48 8b 44 c7 08 48 8b 50 10 48 85 d2 74 21 48 "
	 "8b 0a 83 40 18 01 48 89 48 10 48 89 d0 c3 66 90 31 c9 31 d2 e9 f7 f9 ff ff 0f 1f 80 00 00 00 00 "
	 "31 c9 e9 e9 f9 ff ff"},
	{"mi_free of mimalloc 3.0.1", FREES, 0x38, PLACE_FIRST, 0,
	 "f3 0f 1e fa 48 8b 15 f5 19 02 00 48 89 f9 48 89 f8 48 89 fe 48 c1 e9 1d 48 c1 e8 10 48 8b 14 ca "
	 "25 ff 1f 00 00 48 8b 3c c2 64 48 8b 14 25 00 00 00 00 48 8b 07 48 39 d0 75 1e 48 8b 47 18 48 89 "
	 "06 66 83 6f 10 01 48 89 77 18 74 04 c3 0f 1f 00 e9 8b dd 00 00 0f 1f 00 48 31 d0 48 83 f8 07 76 "
	 "37 a8 07 75 2b 48 89 f1 48 8b 47 20 48 8d 57 20 48 83 c9 01 49 89 c0 49 83 e0 fe 4c 89 06 f0 48 "
	 "0f b1 0a 75 ef a8 01 75 c3 e9 d2 fb ff ff 66 90 e9 db fd ff ff 0f 1f 00 e9 73 fd ff ff"},
	{"mi_malloc of mimalloc 3.6", RDI, 0x16, PLACE_FIRST, 0,
	 "f3 0f 1e fa 48 8b 05 05 0b 01 00 64 4c 8b 00 48 81 ff 00 04 00 00 77 38 48 8d 47 07 48 c1 e8 03 "
	 "49 8b 04 c0 48 8b 48 10 48 8b 50 28 48 85 c9 74 21 48 8b 31 48 81 c2 01 00 01 00 48 89 50 28 48 "
	 "89 70 10 48 89 c8 c3 66 0f 1f 84 00 00 00 00 00 31 c9 48 89 fe 31 d2 4c 89 c7 e9 31 7d ff ff"},
	{"_Znwm of libstdc++ 12", RDI, 0xc, PLACE_FIRST, 0,
	 "f3 0f 1e fa 48 85 ff b8 01 00 00 00 53 48 0f 45 c7 48 89 c3 48 89 df e8 64 08 ff ff 48 85 c0 74 "
	 "02 5b c3 e8 a8 08 ff ff 48 85 c0 0f 84 55 3f ff ff ff d0 eb df"},
	{"_ZdlPv of libstdc++ 12", FREES, 0x4, PLACE_FIRST, 0, "f3 0f 1e fa e9 87 2f ff ff"},
};

#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

static struct place_needs needs_of(const struct real_function *f)
{
	struct place_needs n = allocates;

	if (f->arguments == FREES)
		return frees;
	n.arguments = f->arguments;
	return n;
}

static const struct real_function *function_of(const char *of)
{
	size_t i;

	for (i = 0; i < N_FUNCTIONS; i++) {
		if (!strcmp(functions[i].of, of))
			return &functions[i];
	}
	fail_msg("no %s", of);
	return NULL;
}

static void assert_place(const struct place *p, const struct real_function *f, uint32_t offset, enum place_why why)
{
	if (p->offset != offset || p->why != why || p->sp_offset != f->sp_offset)
		fail_msg("%s: +0x%x, %s, %u bytes of stack", f->of, p->offset, place__reason(p->why), p->sp_offset);
}

static void as_debian_builds_them(void **state)
{
	struct place_needs needs;
	struct place p;
	size_t i;

	(void)state;
	for (i = 0; i < N_FUNCTIONS; i++) {
		needs = needs_of(&functions[i]);
		p = choose(functions[i].hex, &needs);
		assert_place(&p, &functions[i], functions[i].offset, functions[i].why);
	}
}

static void behind_endbr64(void **state)
{
	struct place_needs needs;
	struct place p;
	char hex[1024];
	size_t i;

	(void)state;
	for (i = 0; i < N_FUNCTIONS; i++) {
		const struct real_function *f = &functions[i];
		bool stepped = !f->offset && f->why != PLACE_ENTRY;

		needs = needs_of(f);
		snprintf(hex, sizeof(hex), "f3 0f 1e fa %s", f->hex);
		p = choose(hex, &needs);
		assert_place(&p, f, stepped ? 0 : f->offset + 4, f->why == PLACE_ENTRY ? PLACE_FIRST : f->why);
	}
}

/* Where it does not matter that the stack pointer moves, and no register has to stay, it is no worse. */
static void with_fewer_needs(void **state)
{
	struct place_needs all, few;
	size_t i;

	(void)state;
	for (i = 0; i < N_FUNCTIONS; i++) {
		all = few = needs_of(&functions[i]);
		few.at_entry_sp = false;
		few.registers = 0;
		if (choose(functions[i].hex, &all).emulated)
			assert_true(choose(functions[i].hex, &few).emulated);
	}
}

static void arguments_elsewhere(void **state)
{
	static const struct {
		const char *of;
		uint8_t reg, where;
	} moved[] = {
		{"mi_free of mimalloc 2.0.9", GPR_RDI, GPR_RCX},    {"mi_free of mimalloc 3.0.1", GPR_RDI, GPR_RSI},
		{"mi_malloc of mimalloc 2.0.9", GPR_RDI, GPR_RSI},  {"mi_realloc of mimalloc 2.0.9", GPR_RDI, GPR_RSI},
		{"mi_realloc of mimalloc 2.0.9", GPR_RSI, GPR_RDX}, {"realloc of glibc 2.43", GPR_RSI, GPR_RSI},
	};
	struct place_needs needs;
	struct place p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		needs = needs_of(function_of(moved[i].of));
		p = choose(function_of(moved[i].of)->hex, &needs);
		if (p.where[moved[i].reg] != moved[i].where)
			fail_msg("%s: in register %u", moved[i].of, p.where[moved[i].reg]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_debian_builds_them),
		cmocka_unit_test(behind_endbr64),
		cmocka_unit_test(with_fewer_needs),
		cmocka_unit_test(arguments_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
