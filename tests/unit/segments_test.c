/* SPDX-License-Identifier: GPL-2.0-only */
/* Offsets and addresses of a file's executable segments. */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "select/module.h"
#include "select/segments.h"

#define PHDRS 8

/* A file of nothing but its headers. */
struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[PHDRS];
};

static struct image image_of(const Elf64_Phdr *ph, unsigned int n)
{
	struct image i = {.eh = {
				  .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
				  .e_type = ET_DYN,
				  .e_machine = EM_X86_64,
				  .e_version = EV_CURRENT,
				  .e_phoff = offsetof(struct image, ph),
				  .e_ehsize = sizeof(Elf64_Ehdr),
				  .e_phentsize = sizeof(Elf64_Phdr),
				  .e_phnum = (Elf64_Half)n,
			  }};

	memcpy(i.ph, ph, n * sizeof(*ph));
	return i;
}

static int read_bytes(struct segments *s, const void *bytes, size_t n)
{
	struct module m = {.fd = memfd_create("segments", MFD_CLOEXEC), .root_fd = -1};
	int err;

	memset(s, 0, sizeof(*s));
	assert_true(m.fd >= 0);
	assert_int_equal(write(m.fd, bytes, n), n);
	err = segments__read(s, &m);
	close(m.fd);
	return err;
}

static int read_phdrs(struct segments *s, const Elf64_Phdr *ph, unsigned int n)
{
	struct image i = image_of(ph, n);

	return read_bytes(s, &i, sizeof(i));
}

#define LOAD(flags, off, addr, size)                                                                                   \
	{                                                                                                              \
		.p_type = PT_LOAD, .p_flags = (flags), .p_offset = (off), .p_vaddr = (addr), .p_filesz = (size),       \
		.p_memsz = (size)                                                                                      \
	}

static void assert_pair(const struct segments *s, uint64_t offset, uint64_t vaddr)
{
	uint64_t got;

	assert_int_equal(segments__address(s, offset, &got), 0);
	assert_int_equal(got, vaddr);
	assert_int_equal(segments__offset(s, vaddr, &got), 0);
	assert_int_equal(got, offset);
}

static void one_segment(void **state)
{
	static const Elf64_Phdr ph[] = {LOAD(PF_R, 0, 0, 0x5000), LOAD(PF_R | PF_X, 0x5340, 0x6340, 0x2000),
					LOAD(PF_R | PF_W, 0x8000, 0xa000, 0x1000)};
	struct segments s;
	uint64_t got;

	(void)state;
	assert_int_equal(read_phdrs(&s, ph, 3), 0);
	assert_int_equal(s.list.n, 1);
	assert_pair(&s, 0x5340, 0x6340);
	assert_pair(&s, 0x733f, 0x833f);
	/* A mapping begins at a page. */
	assert_pair(&s, 0x5000, 0x6000);
	assert_int_equal(segments__address(&s, 0x4fff, &got), -ENOENT);
	assert_int_equal(segments__address(&s, 0x7340, &got), -ENOENT);
	assert_int_equal(segments__offset(&s, 0x5fff, &got), -ENOENT);
	/* Where the last call returns to. */
	assert_int_equal(segments__offset(&s, 0x8340, &got), 0);
	assert_int_equal(got, 0x7340);
	assert_int_equal(segments__offset(&s, 0x8341, &got), -ENOENT);
	segments__free(&s);
}

/* BOLT puts the hot code behind everything else, at other distances from its addresses. */
static void several_segments(void **state)
{
	static const Elf64_Phdr ph[] = {
		LOAD(PF_R | PF_X, 0x1000, 0x401000, 0x900), LOAD(PF_R, 0x2000, 0x402000, 0x1000),
		LOAD(PF_R | PF_X, 0x400000, 0x800000, 0x300800), LOAD(PF_R | PF_X, 0x200000, 0xa00000, 0x123)};
	static const struct {
		uint64_t offset, vaddr, size;
	} code[] = {{0x1000, 0x401000, 0x900}, {0x400000, 0x800000, 0x200000}, {0x200000, 0xa00000, 0x123}};
	struct segments s;
	uint64_t at;
	unsigned int i;

	(void)state;
	assert_int_equal(read_phdrs(&s, ph, 4), 0);
	assert_int_equal(s.list.n, 3);
	for (i = 0; i < 2; i++) {
		for (at = 0; at < code[i].size; at += 1 + code[i].size / 1000)
			assert_pair(&s, code[i].offset + at, code[i].vaddr + at);
	}
	/* Where two claim an address, the first one has it; a loader lets the last one have it, but no linker does it.
	 */
	assert_int_equal(segments__offset(&s, 0xa00010, &at), 0);
	assert_int_equal(at, 0x600010);
	assert_int_equal(segments__address(&s, 0x200010, &at), 0);
	assert_int_equal(at, 0xa00010);
	segments__free(&s);
}

static void files_that_are_none(void **state)
{
	static const Elf64_Phdr x[] = {LOAD(PF_R | PF_X, 0, 0, 0x1000)}, data[] = {LOAD(PF_R | PF_W, 0, 0, 0x1000)},
				empty[] = {LOAD(PF_R | PF_X, 0, 0, 0)};
	struct module unopened = {.fd = -1, .open_error = -EACCES};
	struct image i = image_of(x, 1);
	struct segments s;
	size_t n;

	(void)state;
	memset(&s, 0, sizeof(s));
	assert_int_equal(segments__read(&s, &unopened), -EACCES);
	assert_int_equal(read_phdrs(&s, data, 1), -ENOENT);
	assert_int_equal(read_phdrs(&s, empty, 1), -ENOENT);
	assert_int_equal(read_phdrs(&s, x, 0), -ENOENT);
	for (n = 0; n < sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr); n++) {
		assert_true(read_bytes(&s, &i, n) < 0);
		segments__free(&s);
	}
	i.eh.e_ident[EI_CLASS] = ELFCLASS32;
	assert_true(read_bytes(&s, &i, sizeof(i)) < 0);
	segments__free(&s);
	i = image_of(x, 1);
	i.eh.e_phnum = 0xffff;
	assert_int_equal(read_bytes(&s, &i, sizeof(i)), -ENOEXEC);
	i = image_of(x, 1);
	i.eh.e_phoff = UINT64_MAX - 16;
	assert_true(read_bytes(&s, &i, sizeof(i)) < 0);
	segments__free(&s);
	i = image_of(x, 1);
	i.eh.e_ident[EI_MAG0] = 0;
	assert_int_equal(read_bytes(&s, &i, sizeof(i)), -ENOEXEC);
}

/* Sizes and places that no file has: any answer will do, and the sanitizers watch. */
static void numbers_at_the_limits(void **state)
{
	static const uint64_t odd[] = {0, 1, 0xfff, 0x1000, 1ull << 63, UINT64_MAX - 0xfff, UINT64_MAX};
	unsigned int i, k;

	(void)state;
	for (i = 0; i < 7 * 7 * 7; i++) {
		const Elf64_Phdr ph[] = {LOAD(PF_X, odd[i % 7], odd[i / 7 % 7], odd[i / 49])};
		struct segments s;
		uint64_t got;

		read_phdrs(&s, ph, 1);
		for (k = 0; k < 7; k++) {
			segments__address(&s, odd[k], &got);
			segments__offset(&s, odd[k], &got);
		}
		segments__free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_segment),
		cmocka_unit_test(several_segments),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(numbers_at_the_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
