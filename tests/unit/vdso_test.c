/* SPDX-License-Identifier: GPL-2.0-only */
/* The vdso as a module, on this process and on children that have changed theirs. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan_families.h"
#include "select/mappings.h"
#include "select/vdso.h"
#include "symbolize/symbolizer.h"

struct view {
	struct module_table *modules;
	struct mappings m;
};

static struct view look_at(pid_t pid)
{
	struct view v = {.modules = module_table__new()};

	assert_non_null(v.modules);
	assert_int_equal(mappings__refresh(&v.m, v.modules, pid), 0);
	return v;
}

static void look_away(struct view *v)
{
	mappings__free(&v->m);
	module_table__free(v->modules);
}

static const struct mapping *find_vdso(const struct mappings *m)
{
	const struct mapping *at;

	vec__each (&m->list, at) {
		if (at->module && at->module->vdso)
			return at;
	}
	return NULL;
}

static void own_image(void **state)
{
	unsigned char *image = (unsigned char *)getauxval(AT_SYSINFO_EHDR);
	struct view v = look_at(getpid());
	const struct mapping *at = mappings__find(&v.m, (uintptr_t)image);
	__cleanup_free unsigned char *bytes = NULL;
	char name[2 * BUILD_ID_MAX + 1];
	size_t size;

	(void)state;
	assert_non_null(at);
	assert_non_null(at->module);
	assert_true(at->module->vdso);
	assert_string_equal(at->module->path, "[vdso]");
	assert_string_equal(module__name(at->module), "[vdso]");
	assert_false(at->module->deleted);
	assert_int_equal(at->offset, 0);
	assert_int_equal(at->start, (uintptr_t)image);
	assert_true(fcntl(at->module->fd, F_GETFD) & FD_CLOEXEC);
	size = at->end - at->start;
	bytes = malloc(size + 1);
	assert_int_equal(pread(at->module->fd, bytes, size + 1, 0), size);
	assert_memory_equal(bytes, image, size);
	assert_true(strlen(module__build_id_hex(at->module, name, sizeof(name))) > 0);
	/* Once, however often it is seen. */
	const struct module *first = at->module;

	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	assert_ptr_equal(find_vdso(&v.m)->module, first);
	look_away(&v);
}

/* Its functions have names as those of any library; a kernel of another machine may call them otherwise. */
static void function_names(void **state)
{
	struct view v = look_at(getpid());
	const struct mapping *at = find_vdso(&v.m);
	struct symbolizer *s = symbolizer__new();
	bool found = false;
	uint64_t offset;

	(void)state;
	for (offset = 0; offset < at->end - at->start && !found; offset++) {
		struct symbols got = symbolizer__lookup(s, at->module, offset);

		assert_int_equal(got.n, 1);
		found = got.at[0].name && strstr(got.at[0].name, "clock_gettime");
	}
	assert_true(found);
	symbolizer__free(s);
	look_away(&v);
}

static void no_allocator(void **state)
{
	struct view v = look_at(getpid());
	struct plan plan;
	struct err e;

	(void)state;
	assert_int_equal(plan__make(&plan, find_vdso(&v.m)->module, &(struct plan_request){.families = libc_only}, &e),
			 -ENOENT);
	plan__free(&plan);
	look_away(&v);
}

/* Change the image of a child as a debugger would, in a byte of the ELF header's padding, which nobody needs. */
static void change(pid_t pid, unsigned char mark)
{
	__cleanup_close int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &mark, 1, (off_t)(getauxval(AT_SYSINFO_EHDR) + EI_PAD + 1)), 1);
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		alarm(60);
		pause();
		_exit(0);
	}
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void image_of_another_process(void **state)
{
	struct view v = look_at(getpid());
	const struct module *own = find_vdso(&v.m)->module;
	struct mappings m = {};
	unsigned char byte;
	pid_t pid = start_child();

	(void)state;
	assert_int_equal(mappings__refresh(&m, v.modules, pid), 0);
	assert_ptr_equal(find_vdso(&m)->module, own);
	change(pid, 1);
	assert_int_equal(mappings__refresh(&m, v.modules, pid), 0);
	assert_ptr_not_equal(find_vdso(&m)->module, own);
	assert_int_equal(pread(find_vdso(&m)->module->fd, &byte, 1, EI_PAD + 1), 1);
	assert_int_equal(byte, 1);
	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	assert_ptr_equal(find_vdso(&v.m)->module, own);
	stop(pid);
	mappings__free(&m);
	look_away(&v);
}

static void changing_image(void **state)
{
	struct view v = look_at(getpid());
	struct mappings m = {};
	unsigned int with_module = 0, i;
	uint64_t start = find_vdso(&v.m)->start;
	const struct mapping *at;
	pid_t pid = start_child();

	(void)state;
	for (i = 0; i < 50; i++) {
		change(pid, (unsigned char)(i + 1));
		assert_int_equal(mappings__refresh(&m, v.modules, pid), 0);
		at = mappings__find(&m, start);
		assert_non_null(at);
		with_module += at->module != NULL;
	}
	assert_in_range(with_module, 1, 10);
	/* What is known stays so. */
	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	assert_non_null(find_vdso(&v.m));
	stop(pid);
	mappings__free(&m);
	look_away(&v);
}

static void bad_ranges(void **state)
{
	__cleanup_free struct vdso *v = malloc(sizeof(*v));
	uint64_t image = getauxval(AT_SYSINFO_EHDR);
	struct view own = look_at(getpid());
	const struct mapping *at = find_vdso(&own.m);
	size_t size = at->end - at->start;

	(void)state;
	look_away(&own);
	assert_int_equal(vdso__read(v, getpid(), image, image), -EFBIG);
	assert_int_equal(vdso__read(v, getpid(), image + 4096, image), -EFBIG);
	assert_int_equal(vdso__read(v, getpid(), image, image + VDSO_MAX + 1), -EFBIG);
	assert_int_equal(vdso__read(v, getpid(), 0, ~0ull), -EFBIG);
	/* Nothing can be read there, so it is ours, if it has that size. */
	assert_int_equal(vdso__read(v, getpid(), 4096, 4096 + size), 0);
	assert_memory_equal(v->bytes, (void *)image, size);
	assert_true(vdso__read(v, getpid(), 4096, 4096 + 2 * size) < 0);
	assert_false(vdso__is_in_file(v, -1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_image),
		cmocka_unit_test(function_names),
		cmocka_unit_test(no_allocator),
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(image_of_another_process),
		cmocka_unit_test(changing_image),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
