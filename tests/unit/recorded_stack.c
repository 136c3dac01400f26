/* SPDX-License-Identifier: GPL-2.0-only */
#include <alloca.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include <cmocka.h>

#include "recorded_stack.h"

struct recorded_stack recorded;

/* The registers as they are at the entry, before any frame of the function that looks at them. */
uint64_t recorded_sp __attribute__((used)), recorded_fp __attribute__((used));
asm(".text\n"
    ".globl recorded_stack__here\n"
    ".type recorded_stack__here, @function\n"
    "recorded_stack__here:\n"
    "	movq %rsp, recorded_sp(%rip)\n"
    "	movq %rbp, recorded_fp(%rip)\n"
    "	jmp recorded_stack__record\n"
    ".size recorded_stack__here, . - recorded_stack__here\n");

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *ctx, void *first)
{
	int before = 0;
	uint64_t pc = _Unwind_GetIPInfo(ctx, &before), sp = _Unwind_GetCFA(ctx);

	/* The first one is in the recording function itself. */
	if (*(bool *)first) {
		*(bool *)first = false;
		return _URC_NO_REASON;
	}
	if (!pc || recorded.n == RECORDED_FRAMES)
		return _URC_END_OF_STACK;
	recorded.frames[recorded.n].pc = pc;
	recorded.frames[recorded.n].sp = sp;
	recorded.frames[recorded.n++].interrupted = before;
	return _URC_NO_REASON;
}

/* Word by word: what lies between variables must not be read by memcpy(), says the sanitizer. */
__attribute__((no_sanitize("address"))) static void copy_stack(uint64_t end)
{
	size_t i;

	recorded.size = end - recorded_sp < RECORDED_BYTES ? end - recorded_sp : RECORDED_BYTES;
	for (i = 0; i + 8 <= recorded.size; i += 8)
		*(volatile uint64_t *)(recorded.bytes + i) = *(volatile uint64_t *)(recorded_sp + i);
}

static uint64_t end_of_stack(void)
{
	pthread_attr_t attr;
	stack_t other;
	size_t size;
	void *start;

	sigaltstack(NULL, &other);
	if (other.ss_flags & SS_ONSTACK)
		return (uint64_t)other.ss_sp + other.ss_size;
	assert_int_equal(pthread_getattr_np(pthread_self(), &attr), 0);
	assert_int_equal(pthread_attr_getstack(&attr, &start, &size), 0);
	pthread_attr_destroy(&attr);
	return (uint64_t)start + size;
}

__attribute__((used, noinline)) void recorded_stack__record(void)
{
	bool first = true;

	recorded.sp = recorded_sp;
	recorded.fp = recorded_fp;
	recorded.ip = (uint64_t)recorded_stack__here;
	recorded.n = 0;
	copy_stack(end_of_stack());
	_Unwind_Backtrace(add_frame, &first);
}

/* So that no call becomes a jump. */
#define STAY() asm volatile("" ::: "memory")

/* A frame of a size that only its registers know. */
__attribute__((noinline)) static void with_alloca(unsigned int depth)
{
	char *p = alloca(16 + 24 * depth);

	memset(p, (int)depth, 16);
	recorded_stack__by_own_frames(depth - 1);
	STAY();
}

__attribute__((noinline)) static void with_alignment(unsigned int depth)
{
	char wide[64] __attribute__((aligned(64)));

	memset(wide, (int)depth, sizeof(wide));
	asm volatile("" ::"r"(wide) : "memory");
	recorded_stack__by_own_frames(depth - 1);
	STAY();
}

__attribute__((noinline, optimize("O2", "omit-frame-pointer"))) static void with_many_registers(unsigned int depth)
{
	unsigned int a = depth * 3, b = depth * 5, c = depth * 7, d = depth * 11;

	asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
	recorded_stack__by_own_frames(depth - 1);
	asm volatile("" ::"r"(a), "r"(b), "r"(c), "r"(d) : "rbp");
}

void recorded_stack__by_own_frames(unsigned int depth)
{
	static void (*const kinds[])(unsigned int) = {with_alloca, with_many_registers, with_alignment};

	if (depth)
		kinds[depth % 3](depth);
	else
		recorded_stack__here();
	STAY();
}

static int compare(const void *a, const void *b)
{
	recorded_stack__by_own_frames(2);
	STAY();
	return *(const int *)a - *(const int *)b;
}

static int on_library(struct dl_phdr_info *info, size_t size, void *data)
{
	int numbers[] = {5, 3, 4, 1};

	(void)info, (void)size, (void)data;
	qsort(numbers, 4, sizeof(numbers[0]), compare);
	return 1;
}

void recorded_stack__by_callbacks(void)
{
	dl_iterate_phdr(on_library, NULL);
	STAY();
}

static void on_signal(int number)
{
	(void)number;
	recorded_stack__by_own_frames(4);
	STAY();
}

/* The handler runs on a stack of its own inside this one: the copy reaches over both. */
static void with_handler(int number, void (*then)(void))
{
	struct sigaction action = {.sa_handler = on_signal}, before;

	assert_int_equal(sigaction(number, &action, &before), 0);
	then();
	assert_int_equal(sigaction(number, &before, NULL), 0);
}

static void raise_it(void)
{
	raise(SIGUSR1);
	STAY();
}

static void trap(void)
{
	asm volatile("int3");
}

void recorded_stack__by_signal(void)
{
	with_handler(SIGUSR1, raise_it);
}

void recorded_stack__by_trap(void)
{
	with_handler(SIGTRAP, trap);
}

static void *in_thread(void *arg)
{
	recorded_stack__by_callbacks();
	STAY();
	return arg;
}

void recorded_stack__by_thread(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}
