/* SPDX-License-Identifier: GPL-2.0-only */
/* Which file an address belongs to, tried on this process itself. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "select/mappings.h"

static char dir[] = "/tmp/mappings_test.XXXXXX";
static char library[64]; /* small.so in dir */

static int set_up(void **state)
{
	char command[512];

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(library, sizeof(library), "%s/small.so", dir);
	snprintf(command, sizeof(command),
		 "echo 'int small_function(int x) { return x * 7 + 3; }' | "
		 "gcc -shared -fPIC -O1 -Wl,--build-id=0x0123456789abcdef -x c - -o %s",
		 library);
	return system(command) ? -1 : 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? -1 : 0;
}

struct view {
	struct module_table *modules;
	struct mappings m;
};

static struct view look(void)
{
	struct view v = {.modules = module_table__new()};

	assert_non_null(v.modules);
	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	return v;
}

static void look_away(struct view *v)
{
	mappings__free(&v->m);
	module_table__free(v->modules);
}

static const struct mapping *find_module(const struct view *v, const char *part)
{
	const struct mapping *at;

	vec__each (&v->m.list, at) {
		if (at->module && strstr(at->module->path, part))
			return at;
	}
	return NULL;
}

/* The bytes at an address of ours are those of the file at the offset that the mapping says. */
static void assert_same_bytes(const struct view *v, const void *address)
{
	const struct mapping *at = mappings__find(&v->m, (uint64_t)address);
	unsigned char bytes[32];

	assert_non_null(at);
	assert_non_null(at->module);
	assert_true(at->module->fd >= 0);
	assert_int_equal(
		pread(at->module->fd, bytes, sizeof(bytes), (off_t)((uint64_t)address - at->start + at->offset)),
		sizeof(bytes));
	assert_memory_equal(bytes, address, sizeof(bytes));
}

static void own_mappings(void **state)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD), *function = dlsym(libc, "getppid");
	struct view v = look();
	const struct mapping *at = mappings__find(&v.m, (uint64_t)function);
	char hex[2 * BUILD_ID_MAX + 1];

	(void)state;
	assert_non_null(at);
	assert_string_equal(module__name(at->module), "libc.so.6");
	assert_false(at->module->deleted);
	assert_same_bytes(&v, function);
	assert_same_bytes(&v, own_mappings);
	assert_string_equal(module__name(mappings__find(&v.m, (uint64_t)own_mappings)->module), "mappings_test");
	assert_true(at->module->build_id_len > 0);
	assert_int_equal(strlen(module__build_id_hex(at->module, hex, sizeof(hex))), 2 * at->module->build_id_len);
	assert_true(fcntl(at->module->fd, F_GETFD) & FD_CLOEXEC);
	assert_true(at->module->root_fd >= 0);
	/* Another process that maps the same file shares the module. */
	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	assert_ptr_equal(mappings__find(&v.m, (uint64_t)function)->module, find_module(&v, "/libc.so.6")->module);
	look_away(&v);
	dlclose(libc);
}

static void bounds_of_mappings(void **state)
{
	struct mapping list[] = {{.start = 0x1000, .end = 0x2000},
				 {.start = 0x2000, .end = 0x3000},
				 {.start = 0x5000, .end = 0x6000},
				 {.start = 0xffffffffff600000, .end = ~0ull}};
	struct mappings m = {}, none = {};
	struct view v = look();
	const struct mapping *at;

	(void)state;
	m.list.at = list;
	m.list.n = 4;
	assert_null(mappings__find(&m, 0));
	assert_null(mappings__find(&m, 0xfff));
	assert_ptr_equal(mappings__find(&m, 0x1000), &list[0]);
	assert_ptr_equal(mappings__find(&m, 0x1fff), &list[0]);
	assert_ptr_equal(mappings__find(&m, 0x2000), &list[1]);
	assert_null(mappings__find(&m, 0x3000));
	assert_null(mappings__find(&m, 0x4fff));
	assert_ptr_equal(mappings__find(&m, 0x5fff), &list[2]);
	assert_null(mappings__find(&m, 0x6000));
	assert_ptr_equal(mappings__find(&m, ~0ull - 1), &list[3]);
	assert_null(mappings__find(&m, ~0ull));
	assert_null(mappings__find(&none, 0x1000));
	vec__each (&v.m.list, at) {
		assert_ptr_equal(mappings__find(&v.m, at->start), at);
		assert_ptr_equal(mappings__find(&v.m, at->end - 1), at);
		assert_true(at == v.m.list.at || at[-1].end <= at->start);
	}
	look_away(&v);
}

static void libraries_come_and_go(void **state)
{
	struct view v = look();
	void *handle, *function;
	const struct module *m;
	char hex[2 * BUILD_ID_MAX + 1];

	(void)state;
	assert_null(find_module(&v, "small.so"));
	handle = dlopen(library, RTLD_NOW);
	function = dlsym(handle, "small_function");
	assert_null(mappings__find(&v.m, (uint64_t)function));
	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	assert_same_bytes(&v, function);
	m = mappings__find(&v.m, (uint64_t)function)->module;
	assert_string_equal(m->path, library);
	assert_string_equal(module__build_id_hex(m, hex, sizeof(hex)), "0123456789abcdef");
	assert_string_equal(module__build_id_hex(m, hex, 5), "0123");
	dlclose(handle);
	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	assert_null(find_module(&v, "small.so"));
	/* The module stays as long as its table. */
	assert_string_equal(m->path, library);
	handle = dlopen(library, RTLD_NOW);
	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	assert_ptr_equal(find_module(&v, "small.so")->module, m);
	dlclose(handle);
	look_away(&v);
}

/* Loads a copy under this name, removes it, and looks at what is mapped then. */
static void check_copy(const char *name, bool unlinked)
{
	char path[256], command[1024];
	void *handle;
	struct view v;
	const struct module *m;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\" && cp '%s' '%s'", path, library, path);
	assert_int_equal(system(command), 0);
	handle = dlopen(path, RTLD_NOW);
	assert_non_null(handle);
	if (unlinked)
		assert_int_equal(unlink(path), 0);
	v = look();
	m = mappings__find(&v.m, (uint64_t)dlsym(handle, "small_function"))->module;
	assert_string_equal(m->path, path);
	assert_int_equal(m->deleted, unlinked);
	if (geteuid() == 0 || !unlinked) {
		assert_same_bytes(&v, dlsym(handle, "small_function"));
		assert_int_equal(m->build_id_len, 8);
	} else {
		assert_true(m->fd < 0 && m->open_error < 0);
	}
	look_away(&v);
	dlclose(handle);
}

static void odd_names_and_deleted_files(void **state)
{
	static const char *const names[] = {"copy.so", "a b\n(c).so", "d (deleted)/e.so", "d (deleted)/f (deleted)x",
					    " (deleted)/g\nh.so"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		check_copy(names[i], false);
		check_copy(names[i], true);
	}
}

/* The same path, another file by now: the one that is mapped is meant. */
static void replaced_file(void **state)
{
	char command[512];
	void *handle = dlopen(library, RTLD_NOW);
	struct view v;

	(void)state;
	snprintf(command, sizeof(command), "cp %s %s.new && printf x >>%s.new && mv %s.new %s", library, library,
		 library, library, library);
	assert_int_equal(system(command), 0);
	v = look();
	if (geteuid() == 0)
		assert_same_bytes(&v, dlsym(handle, "small_function"));
	assert_true(find_module(&v, "small.so")->module->deleted);
	look_away(&v);
	dlclose(handle);
}

static void a_process_that_ended(void **state)
{
	struct view v = look();
	size_t n = v.m.list.n;
	pid_t child = fork();
	siginfo_t si;

	(void)state;
	if (!child)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT), 0);
	/* A zombie has no mappings; what was known stays. */
	assert_int_equal(mappings__refresh(&v.m, v.modules, child), -ESRCH);
	assert_int_equal(v.m.list.n, n);
	waitpid(child, NULL, 0);
	assert_int_equal(mappings__refresh(&v.m, v.modules, child), -ESRCH);
	assert_int_equal(v.m.list.n, n);
	look_away(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_mappings),		 cmocka_unit_test(bounds_of_mappings),
		cmocka_unit_test(libraries_come_and_go), cmocka_unit_test(odd_names_and_deleted_files),
		cmocka_unit_test(replaced_file),	 cmocka_unit_test(a_process_that_ended),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
