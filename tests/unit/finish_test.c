/* SPDX-License-Identifier: GPL-2.0-only */
/* Walks from copies of this process's own stack, against those of libgcc's unwinder at the same moment. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "finish_fixture.h"

static NOINLINE void third(call *f, volatile char *buf)
{
	f();
	buf[0] = 1;
}

static NOINLINE void second(call *f)
{
	volatile char buf[3000];

	third(f, buf);
	KEEP_FRAME;
}

static void ordinary_calls(void **state)
{
	(void)state;
	probe();
	check_moment();
	second(probe);
	check_moment();
	assert_true(moment.n > 5);
}

static int compare(const void *a, const void *b)
{
	probe();
	return *(const int *)a - *(const int *)b;
}

static void through_qsort(void **state)
{
	int numbers[] = {3, 1, 2};

	(void)state;
	qsort(numbers, 3, sizeof(numbers[0]), compare);
	check_moment();
}

static void *thread(void *arg)
{
	(void)arg;
	second(probe);
	KEEP_FRAME;
	return NULL;
}

static void in_a_thread(void **state)
{
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, thread, NULL), 0);
	pthread_join(t, NULL);
	check_moment();
}

/* Interrupted at its first instruction, the place before which belongs to another function or to none. */
void interrupted_at_once(void);
void interrupted_later(void);
__asm__(".text\n"
	".type interrupted_at_once, @function\n"
	"interrupted_at_once:\n"
	"	.cfi_startproc\n"
	"	ud2\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".type interrupted_later, @function\n"
	"interrupted_later:\n"
	"	.cfi_startproc\n"
	"	push %rbx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_offset rbx, -16\n"
	"	ud2\n"
	"	pop %rbx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_restore rbx\n"
	"	ret\n"
	"	.cfi_endproc\n");

static void on_signal(int signal, siginfo_t *si, void *context)
{
	(void)si;
	second(probe);
	if (signal == SIGILL)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void handle(int signal, int flags)
{
	struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};

	assert_int_equal(sigaction(signal, &sa, NULL), 0);
}

static unsigned int n_interrupted(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < moment.n; i++)
		n += moment.interrupted[i];
	return n;
}

static void in_a_signal_handler(void **state)
{
	(void)state;
	handle(SIGUSR1, 0);
	handle(SIGILL, 0);
	raise(SIGUSR1);
	check_moment();
	assert_int_equal(n_interrupted(), 1);
	interrupted_later();
	check_moment();
	interrupted_at_once();
	check_moment();
	second(interrupted_later);
	check_moment();
	assert_int_equal(n_interrupted(), 1);
}

/* As musl's, without unwind information. */
void bare_restorer(void);
__asm__(".text\n"
	"	.skip 16, 0x90\n"
	".type bare_restorer, @function\n"
	"bare_restorer:\n"
	"	mov $15, %rax\n"
	"	syscall\n"
	"	.skip 16, 0x90\n");

static void through_a_bare_restorer(void **state)
{
	struct {
		void *handler;
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} sa = {on_signal, SA_SIGINFO | 0x04000000 /* SA_RESTORER */, bare_restorer, 0};

	(void)state;
	assert_int_equal(syscall(SYS_rt_sigaction, SIGUSR2, &sa, NULL, 8), 0);
	raise(SIGUSR2);
	check_moment();
	assert_int_equal(n_interrupted(), 1);
}

/* The part on the handler's stack, and the interrupted pc; then the copy ends. */
static void on_another_stack(void **state)
{
	stack_t ss = {.ss_size = 256 << 10}, off = {.ss_flags = SS_DISABLE};
	struct stack_part part;
	struct stack_copy copy;
	struct result r;
	struct view v;
	unsigned int i;

	(void)state;
	ss.ss_sp = mmap(NULL, ss.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_int_equal(sigaltstack(&ss, NULL), 0);
	handle(SIGUSR1, SA_ONSTACK);
	raise(SIGUSR1);
	assert_int_equal(sigaltstack(&off, NULL), 0);
	copy = copy_of(&moment);
	part = (struct stack_part){.at = moment.regs[REG_SP],
				   .bytes = (const void *)moment.regs[REG_SP],
				   .size = (uint64_t)ss.ss_sp + ss.ss_size - moment.regs[REG_SP]};
	copy.parts = &part;
	v = look();
	r = walk(&v, &copy, MAX_PCS);
	assert_int_equal(r.end, LT_END_UNREADABLE);
	assert_true(r.n > 4 && r.n < moment.n);
	for (i = 1; i < r.n; i++)
		assert_int_equal(r.pcs[i], moment.pcs[i - 1]);
	assert_true(r.interrupted[r.n - 1]);
	look_away(&v);
	munmap(ss.ss_sp, ss.ss_size);
}

static void in_libraries_made_now(void **state)
{
	void *library = load_library("plain.so", "-O2", "true");
	void (*plain)(call *) = (void (*)(call *))dlsym(library, "plain");
	void (*realigned)(call *, int) = (void (*)(call *, int))dlsym(library, "realigned");

	(void)state;
	plain(probe);
	check_moment();
	realigned(probe, 1000);
	check_moment();
	realigned(probe, 9);
	check_moment();
	dlclose(library);
}

/* _dl_runtime_resolve() has its frame by rbx. */
static void through_the_loader(void **state)
{
	void *library = load_library("lazy.so", "-O2 -Wl,-z,lazy", "true");

	(void)state;
	((void (*)(call *))dlsym(library, "bind"))(probe);
	check_moment();
	assert_true(moment.n > 4);
	dlclose(library);
}

/* CFA = rbx + n and expressions, as in hand-written assembly. */
void cfa_by_rbx(call *f);
void cfa_by_expression(call *f);
__asm__(".text\n"
	".type cfa_by_rbx, @function\n"
	"cfa_by_rbx:\n"
	"	.cfi_startproc\n"
	"	push %rbx\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_offset rbx, -16\n"
	"	mov %rsp, %rbx\n"
	"	.cfi_def_cfa_register rbx\n"
	"	sub $800, %rsp\n"
	"	and $-64, %rsp\n"
	"	call *%rdi\n"
	"	mov %rbx, %rsp\n"
	"	.cfi_def_cfa_register rsp\n"
	"	pop %rbx\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".type cfa_by_expression, @function\n"
	"cfa_by_expression:\n"
	"	.cfi_startproc\n"
	"	mov %rsp, %rax\n"
	"	sub $136, %rsp\n"
	"	.cfi_adjust_cfa_offset 136\n"
	"	mov %rax, 64(%rsp)\n"
	/* DW_CFA_def_cfa_expression: breg7 64, deref, plus_uconst 8 */
	"	.cfi_escape 0x0f, 6, 0x77, 0xc0, 0x00, 0x06, 0x23, 8\n"
	/* DW_CFA_val_expression of rbp: breg6 0 */
	"	.cfi_escape 0x16, 6, 2, 0x76, 0\n"
	"	call *%rdi\n"
	"	add $136, %rsp\n"
	"	.cfi_def_cfa rsp, 8\n"
	"	ret\n"
	"	.cfi_endproc\n");

static void odd_rules(void **state)
{
	(void)state;
	cfa_by_rbx(probe);
	check_moment();
	cfa_by_expression(probe);
	check_moment();
}

static NOINLINE void take_from(struct moment *from, void (*through)(call *))
{
	probe();
	*from = moment;
	through(probe);
	KEEP_FRAME;
}

static void without_section_headers(void **state)
{
	void *library = load_library("headless.so", "-O2", HEADLESS("headless.so"));

	(void)state;
	((void (*)(call *))dlsym(library, "plain"))(probe);
	check_moment();
	((void (*)(call *, int))dlsym(library, "realigned"))(probe, 300);
	check_moment();
	dlclose(library);
}

static void check_debug_frame(const char *name, const char *flags)
{
	static struct moment from;
	void *library = load_library(name, flags, "true");

	take_from(&from, (void (*)(call *))dlsym(library, "plain"));
	check_beyond(&from, 1, 0);
	dlclose(library);
}

static void only_debug_frame(void **state)
{
	(void)state;
	check_debug_frame("debug.so", "-O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables");
	check_debug_frame("zdebug.so", "-O2 -g -gz -fno-asynchronous-unwind-tables -fno-unwind-tables");
}

/* push %rbp; mov %rsp, %rbp; call *%rdi; pop %rbp; ret */
static const uint8_t framed_code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
/* push %rbp; mov $8, %ebp; call *%rdi; pop %rbp; ret */
static const uint8_t frameless_code[] = {0x55, 0xbd, 8, 0, 0, 0, 0xff, 0xd7, 0x5d, 0xc3};

static void *make_code(const uint8_t *code, size_t size)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(page, code, size);
	assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
	return page;
}

static void generated_code(void **state)
{
	static struct moment from;
	void *framed = make_code(framed_code, sizeof(framed_code));
	void *frameless = make_code(frameless_code, sizeof(frameless_code));
	struct stack_copy copy;
	struct result r;
	struct view v;

	(void)state;
	take_from(&from, (void (*)(call *))framed);
	check_beyond(&from, 1, LT_STACK_GUESSED);
	((void (*)(call *))frameless)(probe);
	copy = copy_of(&moment);
	v = look();
	r = walk(&v, &copy, MAX_PCS);
	assert_int_equal(r.end, LT_END_IMPLAUSIBLE);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.flags, 0);
	look_away(&v);
	munmap(framed, 4096);
	munmap(frameless, 4096);
}

/* What lies in one part or the other is read alike. */
static void copies_in_two_parts(void **state)
{
	struct view v = look();
	struct stack_copy copy;
	struct result whole, r;
	size_t size;

	(void)state;
	second(probe);
	copy = copy_of(&moment);
	whole = walk(&v, &copy, MAX_PCS);
	for (size = 0; size <= moment.size; size += 8) {
		struct stack_part parts[] = {
			{.at = moment.regs[REG_SP] + size, .bytes = moment.bytes + size, .size = moment.size - size},
			{.at = moment.regs[REG_SP], .bytes = moment.bytes, .size = size},
		};

		copy.parts = parts;
		copy.n_parts = 2;
		r = walk(&v, &copy, MAX_PCS);
		assert_int_equal(r.end, LT_END_WHOLE);
		assert_int_equal(r.n, whole.n);
		assert_memory_equal(r.pcs, whole.pcs, r.n * sizeof(r.pcs[0]));
	}
	look_away(&v);
}

/* From nothing to all of the stack: never more frames than with more of it, and the same ones. */
static void copies_too_short(void **state)
{
	struct stack_part part;
	struct view v = look();
	struct result whole, r, last = {};
	struct stack_copy copy;
	size_t size;

	(void)state;
	second(probe);
	copy = copy_of(&moment);
	whole = walk(&v, &copy, MAX_PCS);
	assert_int_equal(whole.end, LT_END_WHOLE);
	for (size = 0; size <= moment.size; size += size < 5000 ? 1 : 64) {
		/* Of its own, so that a read beyond its end is seen. */
		void *bytes = malloc(size ? size : 1);

		memcpy(bytes, moment.bytes, size);
		part = (struct stack_part){.at = moment.regs[REG_SP], .bytes = bytes, .size = size};
		copy.parts = &part;
		r = walk(&v, &copy, MAX_PCS);
		assert_true(r.end == LT_END_UNREADABLE || r.end == LT_END_WHOLE);
		assert_true(r.n >= last.n && r.n <= whole.n);
		assert_memory_equal(r.pcs, whole.pcs, r.n * sizeof(r.pcs[0]));
		assert_int_equal(r.end == LT_END_WHOLE, r.n == whole.n);
		last = r;
		free(bytes);
	}
	assert_int_equal(last.end, LT_END_WHOLE);
	look_away(&v);
}

static void at_most_so_many(void **state)
{
	struct view v = look();
	struct result whole, r;
	struct stack_copy copy;
	unsigned int max;

	(void)state;
	second(probe);
	copy = copy_of(&moment);
	whole = walk(&v, &copy, MAX_PCS);
	for (max = 0; max <= whole.n; max++) {
		r = walk(&v, &copy, max);
		assert_int_equal(r.n, max);
		assert_int_equal(r.end, max < whole.n ? LT_END_DEEP : LT_END_WHOLE);
	}
	look_away(&v);
}

static void replaced_words(void **state)
{
	struct lt_replaced replaced[MAX_PCS];
	struct view v = look();
	struct stack_copy copy;
	struct result r;
	unsigned int i, n = 0;
	size_t at;

	(void)state;
	second(probe);
	for (i = 0; i < moment.n; i++) {
		for (at = 0; at + 8 <= moment.size; at += 8) {
			if (memcmp(moment.bytes + at, &moment.pcs[i], 8) || n == MAX_PCS)
				continue;
			replaced[n++] = (struct lt_replaced){moment.regs[REG_SP] + at, moment.pcs[i]};
			memset(moment.bytes + at, 0xee, 8);
		}
	}
	assert_true(n >= moment.n);
	copy = copy_of(&moment);
	r = walk(&v, &copy, MAX_PCS);
	assert_int_equal(r.end, LT_END_UNMAPPED);
	assert_int_equal(r.n, 2);
	copy.replaced = replaced;
	copy.n_replaced = n;
	r = walk(&v, &copy, MAX_PCS);
	assert_int_equal(r.end, LT_END_WHOLE);
	assert_int_equal(r.n, moment.n + 1);
	assert_memory_equal(r.pcs + 1, moment.pcs, moment.n * sizeof(r.pcs[0]));
	look_away(&v);
}

/* Stacks made by hand, and code without a file at 0x10000 and 0x30000. */
#define CODE  0x10000ull
#define STACK 0x7000ull

static struct result walk_made(const uint64_t *words, size_t n, uint64_t fp)
{
	struct mapping at[] = {{.start = CODE, .end = CODE + 0x1000}, {.start = 0x30000, .end = 0x31000}};
	uint64_t regs[N_REGS] = {[REG_FP] = fp, [REG_SP] = STACK, [REG_PC] = CODE};
	struct stack_part part = {.at = STACK, .bytes = words, .size = n * sizeof(*words)};
	struct stack_copy copy = {.regs = regs, .n_regs = N_REGS, .parts = &part, .n_parts = 1};
	struct view v = {.m.list = {.at = at, .n = 2, .cap = 2}, .f = finisher__new()};
	struct result r = walk(&v, &copy, MAX_PCS);

	finisher__free(v.f);
	return r;
}

#define assert_walk(words, fp, want_end, want_n, want_flags)                                                           \
	do {                                                                                                           \
		struct result r_ = walk_made(words, sizeof(words) / sizeof(*(words)), fp);                             \
		assert_int_equal(r_.end, want_end);                                                                    \
		assert_int_equal(r_.n, want_n);                                                                        \
		assert_int_equal(r_.flags, want_flags);                                                                \
	} while (0)

static void guessed_frames(void **state)
{
	const uint64_t chain[] = {CODE + 16, 0, STACK + 32, CODE + 32, 0, CODE + 48};
	const uint64_t to_zero[] = {CODE + 16, STACK + 24, CODE + 32, STACK + 64, 0};
	const uint64_t to_nowhere[] = {CODE + 16, STACK + 24, 0x5555};
	const uint64_t upwards[] = {CODE + 16, STACK, CODE + 32};
	const uint64_t itself[] = {CODE + 16, STACK + 8, CODE + 32};
	const uint64_t first_byte[] = {CODE + 16, 0, CODE};
	const uint64_t unmapped[] = {0x5555};
	const uint64_t zero[] = {0};

	(void)state;
	assert_walk(chain, STACK + 16, LT_END_WHOLE, 4, LT_STACK_GUESSED);
	assert_walk(to_zero, STACK + 8, LT_END_WHOLE, 3, LT_STACK_GUESSED);
	assert_walk(to_nowhere, STACK + 8, LT_END_IMPLAUSIBLE, 2, 0);
	assert_walk(upwards, STACK + 8, LT_END_IMPLAUSIBLE, 3, LT_STACK_GUESSED);
	assert_walk(itself, STACK + 8, LT_END_IMPLAUSIBLE, 3, LT_STACK_GUESSED);
	assert_walk(first_byte, STACK + 8, LT_END_IMPLAUSIBLE, 2, 0);
	assert_walk(chain, 0, LT_END_IMPLAUSIBLE, 2, 0);
	assert_walk(chain, STACK + 12, LT_END_IMPLAUSIBLE, 2, 0);
	assert_walk(chain, STACK, LT_END_IMPLAUSIBLE, 2, 0);
	assert_walk(chain, STACK + (1 << 20) - 8, LT_END_UNREADABLE, 2, 0);
	assert_walk(chain, STACK + (1 << 20) + 8, LT_END_IMPLAUSIBLE, 2, 0);
	assert_walk(unmapped, 0, LT_END_UNMAPPED, 2, 0);
	assert_walk(zero, 0, LT_END_IMPLAUSIBLE, 1, 0);
}

static void few_registers(void **state)
{
	uint64_t regs[N_REGS] = {};
	struct stack_part part = {.bytes = regs, .size = sizeof(regs)};
	struct stack_copy copy = {.regs = regs, .n_regs = N_REGS - 1};
	struct view v = look();
	struct result r = walk(&v, &copy, MAX_PCS);

	(void)state;
	assert_int_equal(r.end, LT_END_UNREADABLE);
	assert_int_equal(r.n, 0);
	/* Stack pointers at the ends of the address space. */
	copy.n_regs = N_REGS;
	copy.parts = &part;
	copy.n_parts = 1;
	regs[REG_SP] = part.at = UINT64_MAX - 3;
	assert_int_equal(walk(&v, &copy, MAX_PCS).end, LT_END_IMPLAUSIBLE);
	finisher__free(NULL);
	look_away(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_calls),
		cmocka_unit_test(through_qsort),
		cmocka_unit_test(in_a_thread),
		cmocka_unit_test(in_a_signal_handler),
		cmocka_unit_test(through_a_bare_restorer),
		cmocka_unit_test(on_another_stack),
		cmocka_unit_test(in_libraries_made_now),
		cmocka_unit_test(through_the_loader),
		cmocka_unit_test(odd_rules),
		cmocka_unit_test(without_section_headers),
		cmocka_unit_test(only_debug_frame),
		cmocka_unit_test(generated_code),
		cmocka_unit_test(copies_in_two_parts),
		cmocka_unit_test(copies_too_short),
		cmocka_unit_test(at_most_so_many),
		cmocka_unit_test(replaced_words),
		cmocka_unit_test(guessed_frames),
		cmocka_unit_test(few_registers),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
