/* SPDX-License-Identifier: GPL-2.0-only */
// CFLAGS: -O2 -fomit-frame-pointer
/*
 * stacks_matrix: allocations below every kind of frame that C code can have. Built many times, by both compilers (see
 * STACKS in the Makefile): the truth about its call stacks is what golden sees of it.
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <pthread.h>
#include <search.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define DEPTH	300
#define THREADS 4
#define ALLOCA	(3 << 20)
#define STACK	(256 << 10)

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noipa))
#endif

/* Read by nobody: keeps the compiler from knowing what happens to a value. */
static volatile uintptr_t sink;

static NOINLINE void keep(void *p)
{
	sink += (uintptr_t)p;
}

static NOINLINE void *ask(size_t n)
{
	void *p = malloc(n);

	keep(p);
	return p;
}

/* The frame of this one is gone when malloc is entered, where the compiler optimises. */
static NOINLINE void *tail_call(size_t n)
{
	return malloc(n);
}

static NOINLINE void *other_functions(size_t n)
{
	void *volatile nothing = NULL;
	void *p = calloc(n, 3), *q;

	q = realloc(p, 2 * n);
	keep(q ? q : p);
	/* In glibc this is a jump to malloc. */
	p = realloc(nothing, n);
	keep(p);
	return q;
}

static NOINLINE int deep(int n)
{
	int below;

	if (!n) {
		keep(ask(30));
		return 1;
	}
	if (n % 100 == 0)
		keep(ask(31));
	below = deep(n - 1);
	sink += (uintptr_t)below;
	return below + 1;
}

static NOINLINE int odd(int n);

static NOINLINE int even(int n)
{
	char room[120];

	memset(room, n, sizeof(room));
	keep(room);
	if (!n)
		keep(ask(40));
	return n ? odd(n - 1) + room[1] : 0;
}

static NOINLINE int odd(int n)
{
	return n ? even(n - 1) - 1 : 0;
}

static NOINLINE void big_alloca(void)
{
	char *room = alloca(ALLOCA);

	memset(room, 1, 64);
	room[ALLOCA - 1] = 2;
	keep(room);
	keep(ask(50));
	keep(room);
}

static NOINLINE void variable_array(int n)
{
	char room[n];

	memset(room, 3, (size_t)n);
	keep(room);
	keep(ask((size_t)n));
	keep(room);
}

static NOINLINE void aligned_local(int n)
{
	_Alignas(64) char room[192];

	memset(room, n, sizeof(room));
	keep(room);
	keep(ask(60));
	variable_array(n);
	keep(room);
}

/* Alignment and a variable size in one frame: three registers are needed to find everything. */
static NOINLINE void aligned_and_variable(int n)
{
	_Alignas(128) char room[128];
	char more[n];

	memset(room, n, sizeof(room));
	memset(more, n, (size_t)n);
	keep(room);
	keep(more);
	keep(ask(61));
	keep(room);
}

typedef double wide __attribute__((vector_size(32)));

static __attribute__((target("avx"))) NOINLINE void avx_frame(int n)
{
	volatile wide x = {n, n, n, n};

	keep(ask(62));
	x = x + x;
	keep((void *)&x);
}

static int by_value(const void *a, const void *b)
{
	keep(ask(70));
	return *(const int *)a - *(const int *)b;
}

static void visit(const void *node, VISIT which, int depth)
{
	(void)which, (void)depth;
	keep((void *)node);
	keep(ask(71));
}

static NOINLINE void callbacks(void)
{
	int numbers[5] = {4, 2, 5, 1, 3}, many[600], key = 3;
	void *tree = NULL;

	qsort(numbers, 5, sizeof(int), by_value);
	keep(bsearch(&key, numbers, 5, sizeof(int), by_value));
	for (int i = 0; i < 5; i++)
		keep(tsearch(&numbers[i], &tree, by_value));
	twalk(tree, visit);
	/* Too much for its stack: qsort itself asks for memory. */
	for (int i = 0; i < 600; i++)
		many[i] = 600 - i;
	qsort(many, 600, sizeof(int), by_value);
}

struct shape {
	void *(*area)(const struct shape *s, size_t n);
};

static void *square(const struct shape *s, size_t n)
{
	keep((void *)s);
	return ask(n * n);
}

static void *line(const struct shape *s, size_t n)
{
	keep((void *)s);
	return tail_call(n);
}

static NOINLINE void pointers(void)
{
	static const struct shape shapes[] = {{square}, {line}};

	for (volatile int i = 0; i < 4; i++)
		keep(shapes[i % 2].area(&shapes[i % 2], 9));
}

static jmp_buf back;

static __attribute__((noreturn)) NOINLINE void never_returns(int n)
{
	keep(ask(80));
	longjmp(back, n);
}

/* The call is its last instruction: the return address belongs to the next function. */
static NOINLINE void ends_in_call(int n)
{
	keep(&n);
	never_returns(n);
}

static NOINLINE void jumps(void)
{
	for (volatile int i = 0; i < 3; i++) {
		if (!setjmp(back))
			ends_in_call(i + 1);
		else
			keep(ask(81));
	}
}

static char *page;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)context;
	keep(info);
	keep(ask(90));
	if (number == SIGSEGV)
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static NOINLINE int faults(int n)
{
	int a = n * 3, b = n * 5, value;

	keep(&b);
	/* No return address here: the processor stops at the load itself. */
	value = *(volatile int *)page;
	sink += (uintptr_t)(value + a + b);
	return value + b;
}

static NOINLINE void faults_in_variable(int n)
{
	char room[n];

	memset(room, 1, (size_t)n);
	keep(room);
	faults(n);
	keep(room);
}

static void handle(int number, int flags)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};

	sigaction(number, &action, NULL);
}

static NOINLINE void signals(int flags)
{
	handle(SIGUSR1, flags);
	handle(SIGSEGV, flags);
	raise(SIGUSR1);
	mprotect(page, 4096, PROT_NONE);
	faults(7);
	mprotect(page, 4096, PROT_NONE);
	faults_in_variable(300);
	mprotect(page, 4096, PROT_NONE);
	/* Inside the allocator, between the entry and the return of a function that a tracer watches. */
	keep((void *)(uintptr_t)posix_memalign((void **)page, 64, 100));
}

static NOINLINE void all_signals(void)
{
	stack_t other = {.ss_size = STACK};

	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	other.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || other.ss_sp == MAP_FAILED || sigaltstack(&other, NULL))
		abort();
	signals(0);
	signals(SA_ONSTACK);
}

#ifdef __GLIBC__
static ucontext_t caller, coroutine;

static void coroutine_body(int n)
{
	for (int i = 0; i < n; i++) {
		keep(ask(100));
		swapcontext(&coroutine, &caller);
		even(4);
	}
}

static NOINLINE void coroutines(void)
{
	static char stack[STACK];

	getcontext(&coroutine);
	/* Else this function's, from which an unwinder that guesses would go on into the callers of this one. */
	coroutine.uc_mcontext.gregs[REG_RBP] = 0;
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = sizeof(stack);
	coroutine.uc_link = &caller;
	makecontext(&coroutine, (void (*)(void))coroutine_body, 1, 3);
	for (int i = 0; i < 4; i++)
		swapcontext(&caller, &coroutine);
}
#else
/* musl has none. */
static void coroutines(void)
{
}
#endif

static void *thread(void *arg)
{
	deep(20);
	variable_array(100 + *(int *)arg);
	even(5);
	pointers();
	return NULL;
}

static NOINLINE void threads(void)
{
	pthread_t t[THREADS];
	int numbers[THREADS];

	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		if (pthread_create(&t[i], NULL, thread, &numbers[i]))
			abort();
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

int main(void)
{
	keep(tail_call(10));
	keep(other_functions(20));
	deep(DEPTH);
	even(9);
	big_alloca();
	variable_array(777);
	aligned_local(9);
	aligned_and_variable(555);
	if (__builtin_cpu_supports("avx"))
		avx_frame(2);
	callbacks();
	pointers();
	jumps();
	all_signals();
	coroutines();
	threads();
	return 0;
}
