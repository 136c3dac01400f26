/* SPDX-License-Identifier: GPL-2.0-only */
/* What is planned for the libcs of this machine, compared with what objdump and nm say about them. */
#include <errno.h>

#include "plan_families.h"
#include "symbolizer_fixture.h"

#define LIBC_PLAN (&(struct plan_request){.families = libc_only})

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define MUSL "/lib/ld-musl-x86_64.so.1"

static const struct planned_fn *find_fn(const struct plan *p, const char *name)
{
	const struct planned_fn *f;

	vec__each (&p->fns, f) {
		if (!strcmp(f->fn->name, name))
			return f;
	}
	return NULL;
}

static const struct planned_fn *fn_at(const struct plan *p, uint64_t vaddr)
{
	const struct planned_fn *f;

	vec__each (&p->fns, f) {
		if (f->vaddr == vaddr)
			return f;
	}
	return NULL;
}

static bool is_internal(const struct plan *p, uint64_t ret)
{
	u32 i;

	for (i = 0; i < p->internal.n; i++) {
		if (ret >= p->internal.ranges[i].start && ret < p->internal.ranges[i].end)
			return true;
	}
	return false;
}

/* What the BPF side counts on. */
static void assert_well_formed(const struct plan *p)
{
	u32 i;

	assert_true(p->internal.n > 0 && p->internal.n <= LT_MAX_RANGES);
	for (i = 0; i < p->internal.n; i++) {
		assert_true(p->internal.ranges[i].start < p->internal.ranges[i].end);
		assert_true(!i || p->internal.ranges[i - 1].end < p->internal.ranges[i].start);
	}
	for (i = 1; i < p->fns.n; i++)
		assert_true(p->fns.at[i - 1].fn < p->fns.at[i].fn);
}

/* The value of a symbol as nm prints it; `table` is -D or nothing. */
static uint64_t nm_value(const char *path, const char *table, const char *name)
{
	char command[512], line[64] = "";
	FILE *f;

	snprintf(command, sizeof(command), "nm %s %s | sed -nE 's/^([0-9a-f]+) [TtWwi] %s(@.*)?$/\\1/p'", table, path,
		 name);
	f = popen(command, "r");
	assert_non_null(f);
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	pclose(f);
	return strtoull(line, NULL, 16);
}

/* Each of these names is planned, under its own or another name, at the place that nm says. */
static void assert_planned(const struct plan *p, const char *table, const char *const *names, size_t n)
{
	unsigned char planned[16], there[16];
	__cleanup_close int fd = open(p->module->path, O_RDONLY | O_CLOEXEC);
	size_t i;

	for (i = 0; i < n; i++) {
		uint64_t value = nm_value(p->module->path, table, names[i]);
		const struct planned_fn *f = fn_at(p, value);

		if (!value || !f)
			fail_msg("%s of %s is at %lx and not planned", names[i], p->module->path, (unsigned long)value);
		assert_int_equal(pread(p->module->fd, planned, 16, (off_t)f->offset), 16);
		assert_int_equal(pread(fd, there, 16, (off_t)f->offset), 16);
		assert_memory_equal(planned, there, 16);
	}
}

struct calls {
	unsigned int internal, through_plt;
};

/* A line of objdump: direct calls of planned functions are internal, those through the PLT are not. */
static void check_line(const struct plan *p, const char *line, uint64_t ret, struct calls *n)
{
	const char *call = strstr(line, "call") + 4;
	char name[64];

	if (fn_at(p, strtoull(call, NULL, 16))) {
		if (!is_internal(p, ret))
			fail_msg("not internal: %s", line);
		n->internal++;
	} else if (sscanf(call, " %*x <%63[a-z_]@plt>", name) == 1 && find_fn(p, name)) {
		if (is_internal(p, ret))
			fail_msg("internal: %s", line);
		n->through_plt++;
	}
}

static struct calls check_calls(const struct plan *p)
{
	char command[512], line[512], call[512] = "";
	struct calls n = {};
	FILE *f;

	snprintf(command, sizeof(command), "objdump -d --no-show-raw-insn %s", p->module->path);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		char *end;
		uint64_t address = strtoull(line, &end, 16);

		if (end == line || *end != ':')
			continue;
		if (call[0])
			check_line(p, call, address, &n);
		call[0] = '\0';
		if (strstr(end, "\tcall "))
			memcpy(call, line, sizeof(call));
	}
	assert_int_equal(pclose(f), 0);
	return n;
}

static void glibc(void **state)
{
	static const char *const names[] = {"malloc",	      "free",	       "cfree",	      "calloc",
					    "realloc",	      "memalign",      "valloc",      "pvalloc",
					    "posix_memalign", "aligned_alloc", "reallocarray"};
	struct module m;
	struct calls n;
	struct plan p;
	struct err e;

	(void)state;
	if (access(LIBC, R_OK)) {
		print_message("SKIPPED %s: no %s on this machine\n", __func__, LIBC);
		skip();
	}
	m = open_module(LIBC);
	assert_int_equal(plan__make(&p, &m, LIBC_PLAN, &e), 0);
	assert_ptr_equal(p.module, &m);
	assert_true(p.is_glibc_so && p.glibc_realloc);
	assert_well_formed(&p);
	assert_planned(&p, "-D", names, 10 + (nm_value(LIBC, "-D", "reallocarray") != 0));
	/* One function with two names has the one that the family's table has first. */
	assert_null(find_fn(&p, "cfree"));
	assert_non_null(find_fn(&p, "aligned_alloc"));
	if (nm_value(LIBC, "-D", "memalign") == nm_value(LIBC, "-D", "aligned_alloc"))
		assert_null(find_fn(&p, "memalign"));
	assert_string_equal(p.fns.at[0].fn->name, "free");
	n = check_calls(&p);
	/* So that the check has seen what it is for. glibc 2.36 has more of both, 2.39 has 4 of the first. */
	assert_true(n.internal >= 3 && n.through_plt >= 100);
	plan__free(&p);
	close_module(&m);
}

static void musl(void **state)
{
	static const char *const names[] = {"malloc",	"free",	  "calloc",	    "realloc",
					    "memalign", "valloc", "posix_memalign", "aligned_alloc"};
	const struct planned_fn *f;
	struct module m;
	struct plan p;
	struct err e;

	(void)state;
	if (access(MUSL, R_OK)) {
		print_message("SKIPPED %s: no %s on this machine\n", __func__, MUSL);
		skip();
	}
	m = open_module(MUSL);
	assert_int_equal(plan__make(&p, &m, LIBC_PLAN, &e), 0);
	assert_false(p.is_glibc_so);
	assert_false(p.glibc_realloc);
	assert_well_formed(&p);
	assert_planned(&p, "-D", names, sizeof(names) / sizeof(names[0]));
	/* Its functions call each other directly, and so does all the rest of it: only the functions are internal. */
	vec__each (&p.fns, f) {
		assert_true(is_internal(&p, f->vaddr));
		assert_true(is_internal(&p, f->vaddr + f->size - 1));
	}
	assert_false(is_internal(&p, nm_value(MUSL, "-D", "strdup") + 8));
	plan__free(&p);
	close_module(&m);
}

static const char static_c[] = "#include <stdlib.h>\n#include <malloc.h>\n#include <string.h>\n"
			       "int main(int c, char **v)\n{\n"
			       "	void *volatile p = realloc(calloc(c, 3), c * 10);\n"
			       "	void *volatile q = aligned_alloc(64, 64);\n"
			       "	if (posix_memalign((void **)&p, 64, 64))\n		return 1;\n"
			       "	free(q);\n	free(strdup(v[0]));\n	return !p;\n}\n";

static void static_glibc(void **state)
{
	static const char *const kinds[] = {"-static", "-static-pie"};
	static const char *const names[] = {"malloc", "free", "calloc", "realloc", "posix_memalign", "aligned_alloc"};
	struct module m;
	struct plan p;
	struct err e;
	size_t i;

	(void)state;
	write_source("static.c", static_c);
	for (i = 0; i < 2; i++) {
		run("gcc -O1 %s static.c -o static", kinds[i]);
		m = open_module("static");
		assert_int_equal(plan__make(&p, &m, LIBC_PLAN, &e), 0);
		assert_false(p.is_glibc_so);
		assert_true(p.glibc_realloc);
		assert_well_formed(&p);
		assert_planned(&p, "", names, sizeof(names) / sizeof(names[0]));
		/* Calls of the program itself are not internal, those that end a thread's cache are. */
		assert_false(is_internal(&p, nm_value(m.path, "", "main") + 20));
		assert_false(is_internal(&p, nm_value(m.path, "", "strdup") + 20));
		assert_true(is_internal(&p, nm_value(m.path, "", "realloc") + 20));
		assert_true(is_internal(&p, nm_value(m.path, "", "__malloc_arena_thread_freeres") + 20));
		plan__free(&p);
		close_module(&m);
	}
}

static void static_musl(void **state)
{
	struct module m;
	struct plan p;
	struct err e;

	(void)state;
	skip_without("musl-gcc");
	write_source("static.c", static_c);
	run("musl-gcc -O1 -static static.c -o static_musl");
	m = open_module("static_musl");
	assert_int_equal(plan__make(&p, &m, LIBC_PLAN, &e), 0);
	assert_false(p.glibc_realloc);
	assert_non_null(find_fn(&p, "malloc"));
	assert_non_null(find_fn(&p, "realloc"));
	assert_non_null(find_fn(&p, "free"));
	plan__free(&p);
	close_module(&m);
}

static int plan_of(const char *name, struct err *e)
{
	struct module m = open_module(name);
	struct plan p;
	int err;

	e->text[0] = '\0';
	err = plan__make(&p, &m, LIBC_PLAN, e);
	plan__free(&p);
	close_module(&m);
	return err;
}

static void no_allocator(void **state)
{
	struct err e;

	(void)state;
	run("gcc -O1 $PWD/plain.c -o plain");
	assert_int_equal(plan_of("plain", &e), -ENOENT);
	/* It uses one. */
	write_source("uses.c", "#include <stdlib.h>\nint main(int c, char **v) { free(malloc(c)); return !v; }\n");
	run("gcc -O1 uses.c -o uses");
	assert_int_equal(plan_of("uses", &e), -ENOENT);
	/* It has one half of one. */
	write_source("half.c", "void *malloc(unsigned long n) { return (void *)n; }\n");
	run("gcc -O1 -shared -fPIC -fno-builtin half.c -o half.so");
	assert_int_equal(plan_of("half.so", &e), -ENOENT);
	run("gcc -O1 -shared -fPIC -fno-builtin -c half.c -o half.o && ar rc half.a half.o && gcc -m32 -c half.c -o "
	    "32.o");
	assert_int_equal(plan_of("half.a", &e), -ENOENT);
	assert_int_equal(plan_of("32.o", &e), -ENOENT);
	assert_int_equal(plan_of("plain.c", &e), -ENOENT);
	write_source("empty", "");
	assert_int_equal(plan_of("empty", &e), -ENOENT);
	assert_string_equal(e.text, "");
}

/* The functions named malloc and free in a file are of this family. */
static void assert_owner(const char *path, const struct family *owner)
{
	const struct plan_request all = {.families = all_families};
	struct module m = open_module(path);
	const struct planned_fn *f;
	struct plan p;
	struct err e;

	assert_int_equal(plan__make(&p, &m, &all, &e), 0);
	assert_int_equal(p.fns.n, 2);
	vec__each (&p.fns, f)
		assert_string_equal(f->family->name, owner->name);
	plan__free(&p);
	close_module(&m);
}

static void another_allocator(void **state)
{
	struct err e;

	(void)state;
	write_source("own.c", "void *malloc(unsigned long n) { return (void *)n; }\n"
			      "void free(void *p) { (void)p; }\nint main(void) { return 0; }\n");
	run("gcc -O1 -shared -fPIC -fno-builtin own.c -o own.so && gcc -O1 -fno-builtin own.c -o own && "
	    "gcc -O1 -shared -fPIC -fno-builtin -Wl,-soname,libown.so.2 own.c -o named.so");
	assert_owner("own.so", &family_malloc);
	assert_owner("named.so", &family_malloc);
	assert_owner("own", &family_malloc);
	/* No libc, where only that is asked for. */
	assert_int_equal(plan_of("own.so", &e), -ENOENT);
	/* The loader's own is used until libc is there. */
	run("gcc -O1 -shared -fPIC -fno-builtin -Wl,-soname,ld-linux-x86-64.so.2 own.c -o ld.so");
	assert_int_equal(plan_of("ld.so", &e), -ENOENT);
}

static void file_that_could_not_be_opened(void **state)
{
	struct module m = {.path = (char *)"/gone", .fd = -1, .root_fd = -1, .open_error = -EACCES};
	struct plan p;
	struct err e;

	(void)state;
	assert_int_equal(plan__make(&p, &m, LIBC_PLAN, &e), -EACCES);
	assert_non_null(strstr(e.text, "/gone"));
	plan__free(&p);
}

static void families(void **state)
{
	const struct family *f = &family_libc;
	unsigned int i;

	(void)state;
	for (i = 0; i < f->n; i++) {
		const struct family_fn *fn = &f->fns[i];

		assert_ptr_equal(family__find(f, fn->name), fn);
		assert_int_equal(fn->ptr_arg != LT_NO_ARG, fn->op != LT_OP_ALLOC);
		assert_int_equal(fn->size_arg != LT_NO_ARG, fn->op != LT_OP_FREE);
		/* Those that release come first. */
		assert_true(!i || fn->op != LT_OP_FREE || fn[-1].op == LT_OP_FREE);
	}
	assert_null(family__find(f, "mallocx"));
	assert_null(family__find(f, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(glibc),
		cmocka_unit_test(musl),
		cmocka_unit_test(static_glibc),
		cmocka_unit_test(static_musl),
		cmocka_unit_test(no_allocator),
		cmocka_unit_test(another_allocator),
		cmocka_unit_test(file_that_could_not_be_opened),
		cmocka_unit_test(families),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
