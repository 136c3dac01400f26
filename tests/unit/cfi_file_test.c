/* SPDX-License-Identifier: GPL-2.0-only */
/* What is read of files: within the memory that there is for all of them, and the same as libdw reads by itself. */
#include <fcntl.h>
#include <gelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "select/module.h"
#include "unwind/cfi_file.h"

#define FILE_AT "/proc/self/exe"

/* Every 61st byte of the code: the same range of rules, and gaps at the same places. */
static void like_libdw(void **state)
{
	uint64_t left = 64u << 20, before = left, offset, address, compared = 0;
	int fd = open(FILE_AT, O_RDONLY | O_CLOEXEC);
	struct cfi_file *f = cfi_file__open(&(struct module){.fd = fd}, &left);
	Dwarf_CFI *cfi;
	Elf *elf;

	(void)state;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	cfi = dwarf_getcfi_elf(elf);
	assert_non_null(cfi);
	for (offset = 0; offset < 4u << 20; offset += 61) {
		Dwarf_Addr start[2], end[2];
		Dwarf_Frame *mine, *golden;
		bool found;

		if (!cfi_file__address(f, offset, &address))
			continue;
		found = cfi_file__frame(f, address, &mine) == CFI_FOUND;
		assert_int_equal(found, !dwarf_cfi_addrframe(cfi, address, &golden));
		if (!found)
			continue;
		dwarf_frame_info(mine, &start[0], &end[0], NULL);
		dwarf_frame_info(golden, &start[1], &end[1], NULL);
		assert_int_equal(start[0], start[1]);
		assert_int_equal(end[0], end[1]);
		free(mine);
		free(golden);
		compared++;
	}
	assert_true(compared > 100);
	assert_true(left < before);
	dwarf_cfi_end(cfi);
	elf_end(elf);
	cfi_file__close(f);
	close(fd);
}

static void no_memory_left(void **state)
{
	int fd = open(FILE_AT, O_RDONLY | O_CLOEXEC);
	uint64_t left = 1000, address = 0, offset;
	struct cfi_file *f = cfi_file__open(&(struct module){.fd = fd}, &left);
	Dwarf_Frame *frame;

	(void)state;
	for (offset = 0; !cfi_file__address(f, offset, &address); offset += 4096)
		assert_true(offset < 4u << 20);
	assert_int_equal(cfi_file__frame(f, address, &frame), CFI_REFUSED);
	assert_int_equal(left, 1000);
	cfi_file__close(f);
	close(fd);
}

static void no_files(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t left = 1000, address;
	struct cfi_file *f = cfi_file__open(&(struct module){.fd = fd}, &left);
	Dwarf_Frame *frame;

	(void)state;
	assert_false(cfi_file__address(f, 0, &address));
	assert_int_equal(cfi_file__frame(f, 0, &frame), CFI_GAP);
	cfi_file__close(f);
	cfi_file__close(NULL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_libdw),
		cmocka_unit_test(no_memory_left),
		cmocka_unit_test(no_files),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
