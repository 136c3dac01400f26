/* SPDX-License-Identifier: GPL-2.0-only */
#include <dlfcn.h>
#include <pthread.h>
#include <unwind.h>

#include "finish_fixture.h"

struct moment moment;

/* A jump leaves the stack as it is, so the C function gets what probe() got: a return address on top. */
__asm__(".text\n"
	".globl probe\n"
	".type probe, @function\n"
	"probe:\n"
	"	.cfi_startproc\n"
	"	mov %rax, moment(%rip)\n"
	"	lea moment(%rip), %rax\n"
	"	mov %rdx, 8(%rax)\n"
	"	mov %rcx, 16(%rax)\n"
	"	mov %rbx, 24(%rax)\n"
	"	mov %rsi, 32(%rax)\n"
	"	mov %rdi, 40(%rax)\n"
	"	mov %rbp, 48(%rax)\n"
	"	mov %rsp, 56(%rax)\n"
	"	mov %r8, 64(%rax)\n"
	"	mov %r9, 72(%rax)\n"
	"	mov %r10, 80(%rax)\n"
	"	mov %r11, 88(%rax)\n"
	"	mov %r12, 96(%rax)\n"
	"	mov %r13, 104(%rax)\n"
	"	mov %r14, 112(%rax)\n"
	"	mov %r15, 120(%rax)\n"
	"	lea probe(%rip), %rcx\n"
	"	mov %rcx, 128(%rax)\n"
	"	jmp probe_taken\n"
	"	.cfi_endproc\n"
	".size probe, . - probe\n");

static uint64_t stack_end(void)
{
	pthread_attr_t attr;
	size_t size = 0;
	void *at = NULL;

	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &at, &size);
	pthread_attr_destroy(&attr);
	return (uint64_t)at + size;
}

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *c, void *skip)
{
	int exact = 0;
	uint64_t pc = _Unwind_GetIPInfo(c, &exact);

	/* The first is that of probe_taken(). */
	if ((*(int *)skip)++ == 0 || !pc || moment.n == MAX_PCS)
		return _URC_NO_REASON;
	moment.pcs[moment.n] = pc;
	moment.interrupted[moment.n++] = exact;
	return _URC_NO_REASON;
}

void probe_taken(void);

NO_ASAN void probe_taken(void)
{
	const volatile uint64_t *sp = (const volatile uint64_t *)moment.regs[REG_SP];
	uint64_t left = stack_end() - moment.regs[REG_SP];
	int frames = 0;
	size_t i;

	/* On another stack as much as the test says it has. */
	moment.size = left < MAX_COPY ? left : MAX_COPY;
	if (moment.regs[REG_SP] > stack_end() || left > 64u << 20)
		moment.size = 0;
	for (i = 0; i < moment.size / 8; i++)
		((uint64_t *)moment.bytes)[i] = sp[i];
	moment.n = 0;
	_Unwind_Backtrace(add_frame, &frames);
}

struct view look(void)
{
	struct view v = {.modules = module_table__new(), .f = finisher__new()};

	assert_non_null(v.modules);
	assert_non_null(v.f);
	assert_int_equal(mappings__refresh(&v.m, v.modules, getpid()), 0);
	return v;
}

void look_away(struct view *v)
{
	finisher__free(v->f);
	mappings__free(&v->m);
	module_table__free(v->modules);
}

struct stack_copy copy_of(const struct moment *at)
{
	static struct stack_part part;

	part = (struct stack_part){.at = at->regs[7], .bytes = at->bytes, .size = at->size};
	return (struct stack_copy){.regs = at->regs, .n_regs = N_REGS, .parts = &part, .n_parts = 1};
}

struct result walk(struct view *v, const struct stack_copy *copy, unsigned int max)
{
	struct result r = {};

	assert_true(max <= MAX_PCS);
	r.end = finisher__walk(v->f, &v->m, copy, r.pcs, r.interrupted, max, &r.n, &r.flags);
	assert_true(r.n <= max);
	return r;
}

void check_moment(void)
{
	struct stack_copy copy = copy_of(&moment);
	struct view v = look();
	struct result r = walk(&v, &copy, MAX_PCS);
	unsigned int i;

	for (i = 0; i < moment.n && i + 1 < r.n; i++) {
		assert_int_equal(r.pcs[i + 1], moment.pcs[i]);
		assert_int_equal(r.interrupted[i + 1], moment.interrupted[i]);
	}
	assert_int_equal(r.end, LT_END_WHOLE);
	assert_int_equal(r.n, moment.n + 1);
	assert_int_equal(r.pcs[0], (uint64_t)probe);
	assert_true(r.interrupted[0]);
	assert_int_equal(r.flags, 0);
	look_away(&v);
}

void check_beyond(const struct moment *from, unsigned int between, unsigned int flags)
{
	struct stack_copy copy = copy_of(&moment);
	struct view v = look();
	struct result r = walk(&v, &copy, MAX_PCS);
	unsigned int i;

	assert_int_equal(r.end, LT_END_WHOLE);
	assert_int_equal(r.flags, flags);
	/* from->pcs[0] is another place of the same function. */
	assert_int_equal(r.n, 1 + between + from->n);
	for (i = 1; i < from->n; i++)
		assert_int_equal(r.pcs[1 + between + i], from->pcs[i]);
	look_away(&v);
}

char dir[] = "/tmp/finish_test.XXXXXX";

static const char library_c[] =
	"#include <alloca.h>\n"
	"#include <string.h>\n"
	"typedef void call(void);\n"
	"void keep(void *p) { __asm__ volatile(\"\" :: \"r\"(p) : \"memory\"); }\n"
	"void plain(call *f) { f(); __asm__ volatile(\"\"); }\n"
	"void realigned(call *f, int n)\n"
	"{\n"
	"	_Alignas(128) char b[128];\n"
	"	char *a = alloca((unsigned)n);\n"
	"	memset(a, 0, (unsigned)n); memset(b, 0, 128); keep(a); keep(b);\n"
	"	plain(f);\n"
	"	keep(b);\n"
	"}\n"
	"static call *hook;\n"
	"static void impl(void) {}\n"
	"static call *resolve(void) { hook(); keep(&hook); return impl; }\n"
	"void lazy(void) __attribute__((ifunc(\"resolve\")));\n"
	"void bind(call *f) { hook = f; lazy(); keep(f); }\n"
	"#ifdef SLOW\n"
	"__attribute__((noinline)) int slow(call *f, int n)\n"
	"{\n"
	"	__asm__ volatile(\".rept 60000\\n.cfi_remember_state\\n.cfi_restore_state\\n.endr\");\n"
	"	if (n) n += slow(f, n - 1); else f();\n"
	"	__asm__ volatile(\"\" : \"+r\"(n));\n"
	"	return n;\n"
	"}\n"
	"#endif\n"
	"void deep(call *f, int n) { if (n) deep(f, n - 1); else plain(f); __asm__ volatile(\"\"); }\n";

int make_folder(void **state)
{
	char path[64];
	FILE *f;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/library.c", dir);
	f = fopen(path, "w");
	if (!f)
		return -1;
	fputs(library_c, f);
	return fclose(f);
}

int remove_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? -1 : 0;
}

void *load_library(const char *name, const char *flags, const char *change)
{
	char command[512], path[128];
	void *handle;

	snprintf(command, sizeof(command), "cd %s && gcc -shared -fPIC %s library.c -o %s && %s", dir, flags, name,
		 change);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	handle = dlopen(path, RTLD_LAZY);
	assert_non_null(handle);
	return handle;
}
