/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that are broken by accident or on purpose: frames may be missing then, but nothing worse happens. */
#include <dlfcn.h>
#include <fcntl.h>
#include <gelf.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "finish_fixture.h"
#include "random_numbers.h"
#include "select/module.h"

#define MAX_FILE (256u << 10)

/* A copy of a library whose bytes are changed, in the place of the one that the moment was taken in. */
struct victim {
	uint8_t bytes[MAX_FILE];
	size_t size;
	struct module module;
	struct mapping at[64]; /* the library's only: all else is unmapped */
	struct view v;
};

static struct victim victim;

static void make_victim(const char *name, const char *flags, const char *change)
{
	void *library = load_library(name, flags, change);
	struct view all = look();
	const struct mapping *at;
	char path[128];
	FILE *f;

	((void (*)(call *, int))dlsym(library, "realigned"))(probe, 100);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	victim.size = fread(victim.bytes, 1, MAX_FILE, f);
	fclose(f);
	assert_true(victim.size && victim.size < MAX_FILE);
	victim.module = (struct module){.path = (char *)"victim", .root_fd = -1};
	victim.module.fd = memfd_create("victim", MFD_CLOEXEC);
	victim.v.m.list.at = victim.at;
	victim.v.m.list.n = 0;
	vec__each (&all.m.list, at) {
		if (!at->module || strcmp(at->module->path, path))
			continue;
		victim.at[victim.v.m.list.n] = *at;
		victim.at[victim.v.m.list.n++].module = &victim.module;
	}
	assert_true(victim.v.m.list.n > 0);
	look_away(&all);
	dlclose(library);
}

static void end_victim(void)
{
	close(victim.module.fd);
}

/* Walk with a file that has these bytes. What comes before its first rule is the same whatever it has. */
static struct result walk_with(const uint8_t *bytes, size_t size)
{
	struct stack_copy copy = copy_of(&moment);
	struct result r;

	assert_int_equal(ftruncate(victim.module.fd, (off_t)size), 0);
	assert_int_equal(pwrite(victim.module.fd, bytes, size, 0), (ssize_t)size);
	victim.v.f = finisher__new();
	r = walk(&victim.v, &copy, MAX_PCS);
	assert_true(r.n >= 2);
	assert_int_equal(r.pcs[1], moment.pcs[0]);
	finisher__free(victim.v.f);
	return r;
}

/* Out of the library into what is not mapped here. */
static void check_healthy(void)
{
	struct result r = walk_with(victim.bytes, victim.size);

	assert_int_equal(r.end, LT_END_UNMAPPED);
	assert_int_equal(r.n, 4);
	/* libgcc does not know .debug_frame. */
	assert_memory_equal(r.pcs + 1, moment.pcs, (moment.n < 3 ? moment.n : 3) * sizeof(r.pcs[0]));
}

static void truncated(void **state)
{
	size_t size;

	(void)state;
	make_victim("cut.so", "-O2 -s", "true");
	check_healthy();
	for (size = 0; size < victim.size; size += size < 1024 ? 1 : 37)
		walk_with(victim.bytes, size);
	end_victim();
}

static void noise(void **state)
{
	static uint8_t bytes[MAX_FILE];
	struct result r;
	size_t i;

	(void)state;
	make_victim("noise.so", "-O2 -s", "true");
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	r = walk_with(bytes, sizeof(bytes));
	assert_true(r.end == LT_END_IMPLAUSIBLE || r.end == LT_END_UNMAPPED || r.end == LT_END_UNREADABLE);
	memcpy(bytes, victim.bytes, 64);
	walk_with(bytes, sizeof(bytes));
	memcpy(bytes, victim.bytes, 1024);
	walk_with(bytes, sizeof(bytes));
	end_victim();
}

struct range {
	size_t at, n;
};

static struct range section(const char *name)
{
	Elf *elf;
	Elf_Scn *scn = NULL;
	struct range r = {};
	GElf_Shdr sh;
	size_t names;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)victim.bytes, victim.size);
	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while ((scn = elf_nextscn(elf, scn))) {
		if (gelf_getshdr(scn, &sh) && !strcmp(elf_strptr(elf, names, sh.sh_name), name))
			r = (struct range){sh.sh_offset, sh.sh_size};
	}
	elf_end(elf);
	assert_true(r.n > 8);
	return r;
}

/* One to four places, with bytes that mean much: the ends of numbers, instructions, register numbers. */
static void mutate(uint8_t *bytes, const struct range *in, uint64_t *random)
{
	static const uint8_t much[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x05, 0x0a,
				       0x0b, 0x0c, 0x0f, 0x10, 0x16, 0x1b, 0x9b};
	unsigned int n = 1 + next_random(random) % 4;

	while (n--) {
		size_t at = in->at + next_random(random) % in->n;

		bytes[at] = next_random(random) % 2 ? much[next_random(random) % sizeof(much)]
						    : (uint8_t)next_random(random);
	}
}

static void mutate_and_walk(const struct range *in, unsigned int times)
{
	static uint8_t bytes[MAX_FILE];
	uint64_t random = RANDOM_SEED;
	unsigned int i;

	check_healthy();
	for (i = 0; i < times; i++) {
		memcpy(bytes, victim.bytes, victim.size);
		mutate(bytes, in, &random);
		walk_with(bytes, victim.size);
	}
}

static void changed_eh_frame(void **state)
{
	struct range in;

	(void)state;
	make_victim("eh.so", "-O2", "true");
	in = section(".eh_frame");
	mutate_and_walk(&in, 4000);
	end_victim();
}

static void changed_search_table(void **state)
{
	struct range in;

	(void)state;
	make_victim("hdr.so", "-O2", "true");
	in = section(".eh_frame_hdr");
	mutate_and_walk(&in, 1500);
	end_victim();
}

static void changed_headers(void **state)
{
	const struct range headers = {0, 64 + 12 * 56};
	struct range names, sections;

	(void)state;
	make_victim("headers.so", "-O2 -s", "true");
	names = section(".shstrtab");
	mutate_and_walk(&headers, 1000);
	sections = (struct range){names.at, victim.size - names.at};
	mutate_and_walk(&sections, 1000);
	end_victim();
}

static void changed_without_sections(void **state)
{
	struct range in;

	(void)state;
	make_victim("whole.so", "-O2", "true");
	in = section(".eh_frame");
	end_victim();
	make_victim("headless.so", "-O2", HEADLESS("headless.so"));
	mutate_and_walk(&in, 1500);
	end_victim();
}

static void changed_debug_frame(void **state)
{
	struct range in;

	(void)state;
	make_victim("only.so", "-O2 -g -fno-asynchronous-unwind-tables", "true");
	in = section(".debug_frame");
	mutate_and_walk(&in, 700);
	end_victim();
	make_victim("packed.so", "-O2 -g -gz -fno-asynchronous-unwind-tables", "true");
	in = section(".debug_frame");
	mutate_and_walk(&in, 700);
	end_victim();
}

/* What one file may take in all is bounded. Then it is not asked any more. */
static void slow_rules(void **state)
{
	void *library = load_library("slow.so", "-O1 -DSLOW", "true");
	uint64_t before = clock__ns_(CLOCK_THREAD_CPUTIME_ID);
	struct stack_copy copy;
	struct view v = look();
	struct result r;
	unsigned int i;

	(void)state;
	((int (*)(call *, int))dlsym(library, "slow"))(probe, 50);
	copy = copy_of(&moment);
	for (i = 0; i < 100; i++)
		r = walk(&v, &copy, MAX_PCS);
	assert_int_equal(r.end, LT_END_NO_RULE);
	assert_int_equal(r.n, 2);
	assert_true(clock__ns_(CLOCK_THREAD_CPUTIME_ID) - before < 5 * NSEC_PER_SEC);
	look_away(&v);
	dlclose(library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncated),	       cmocka_unit_test(noise),
		cmocka_unit_test(changed_eh_frame),    cmocka_unit_test(changed_search_table),
		cmocka_unit_test(changed_headers),     cmocka_unit_test(changed_without_sections),
		cmocka_unit_test(changed_debug_frame), cmocka_unit_test(slow_rules),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
