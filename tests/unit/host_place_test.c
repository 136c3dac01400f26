/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions that are probed behind their entry: arguments in other registers, a stack pointer that has moved. */
#include "host_calls.h"

#define SP  0x7ffd00010000ull
#define RET 0x401234ull
#define A   0xa000ull
#define B   0xb000ull
#define C   0xc000ull

#define RSP 4

/* Probed so many bytes of code and of stack behind the entry, with arguments in these registers. */
static void move_probe(enum host_fn fn, u64 code, u16 stack, u8 size_reg, u8 ptr_reg)
{
	struct lt_fn to = host__fn(fn);

	to.vaddr += code;
	to.sp_offset = stack;
	to.size_reg = size_reg;
	to.ptr_reg = ptr_reg;
	host__change_fn(fn, &to);
}

static void set_register(struct pt_regs *regs, u8 number, u64 value)
{
	u64 *const all[] = {
		(u64 *)&regs->ax,  (u64 *)&regs->cx,  (u64 *)&regs->dx,	 (u64 *)&regs->bx,
		(u64 *)&regs->sp,  (u64 *)&regs->bp,  (u64 *)&regs->si,	 (u64 *)&regs->di,
		(u64 *)&regs->r8,  (u64 *)&regs->r9,  (u64 *)&regs->r10, (u64 *)&regs->r11,
		(u64 *)&regs->r12, (u64 *)&regs->r13, (u64 *)&regs->r14, (u64 *)&regs->r15,
	};

	*all[number] = value;
}

/* All registers have another value, so that none is right by chance. */
static struct pt_regs other_registers(void)
{
	struct pt_regs regs = {};
	u8 i;

	for (i = 0; i < 16; i++)
		set_register(&regs, i, 0x7000 + i);
	return regs;
}

static void arguments_in_any_register(void **how)
{
	u8 reg, other;

	(void)how;
	for (reg = 0; reg < 16; reg++) {
		struct pt_regs regs = other_registers();

		other = (u8)((reg + 5) % 16);
		if (reg == RSP || other == RSP)
			continue;
		move_probe(FN_MALLOC, 0, 0, reg, LT_NO_REG);
		set_register(&regs, reg, 100 + reg);
		host__poke(SP, RET);
		host__hit(FN_MALLOC, SP, &regs);
		host__return(SP, A + 0x100 * (u64)reg);
		assert_int_equal(host__block(0, A + 0x100 * (u64)reg)->size, 100 + reg);
		move_probe(FN_REALLOC, 0, 0, other, reg);
		regs = other_registers();
		set_register(&regs, reg, A + 0x100 * (u64)reg);
		set_register(&regs, other, 300 + reg);
		host__poke(SP, RET);
		host__hit(FN_REALLOC, SP, &regs);
		host__return(SP, B);
		assert_int_equal(host__block(0, B)->size, 300 + reg);
		move_probe(FN_FREE, 0, 0, LT_NO_REG, reg);
		set_register(&regs, reg, B);
		host__poke(SP, RET);
		host__hit(FN_FREE, SP, &regs);
	}
	host__assert_live(0, 0);
	assert_int_equal(host__slot(0)->frees_untracked, 0);
	host__assert_nothing_lost();
}

static void count_in_another_register(void **how)
{
	struct lt_fn to = host__fn(FN_CALLOC);
	struct pt_regs regs = other_registers();

	(void)how;
	to.count_reg = 15;
	to.size_reg = 0;
	host__change_fn(FN_CALLOC, &to);
	set_register(&regs, 15, 6);
	set_register(&regs, 0, 7);
	host__poke(SP, RET);
	host__hit(FN_CALLOC, SP, &regs);
	host__return(SP, A);
	host__assert_live(1, 42);
}

/* free() as glibc 2.31 has it: behind "sub $24, %rsp". */
static void stack_pointer_moved_in_free(void **how)
{
	(void)how;
	host__calls(FN_MALLOC, SP, RET, ARGS(100), A);
	host__calls(FN_MALLOC, SP, RET, ARGS(10), B);
	move_probe(FN_FREE, 17, 24, LT_NO_REG, 7);
	/* What stands there is not the return address. */
	host__poke(SP - 24, host__inside(FN_REALLOC));
	host__call(FN_FREE, SP, RET, ARGS(A));
	host__assert_live(1, 10);
	/* Nested by its return address, whatever stands where the stack pointer is. */
	host__poke(SP - 24, RET);
	host__call(FN_FREE, SP, host__inside(FN_REALLOC), ARGS(C));
	host__assert_live(1, 10);
	assert_int_equal(host__slot(0)->frees, 1);
	/* The same frame by the jump of another function that is probed at its entry. */
	host__call(FN_FREE_SIZED, SP, RET, ARGS(B, 10));
	host__jump(FN_FREE, SP, ARGS(B));
	assert_int_equal(host__slot(0)->frees, 2);
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

/* One that allocates has its returns seen at its rets then. */
static void stack_pointer_moved_in_malloc(void **how)
{
	struct lt_rec_stack at_entry;

	(void)how;
	host__see_rets(FN_MALLOC);
	host__call(FN_MALLOC, SP, RET, ARGS(100));
	host__return_from(FN_MALLOC, SP, A);
	at_entry = host.last_stack;
	move_probe(FN_MALLOC, 11, 40, 7, LT_NO_REG);
	host__poke(SP - 40, RET + 0x100);
	host__call(FN_MALLOC, SP, RET + 16, ARGS(30));
	host__return_from(FN_MALLOC, SP, B);
	host__assert_live(2, 130);
	/* Its caller is the frame above it, as it was for a probe at the entry. */
	assert_int_equal(host.n_stacks, 2);
	assert_int_equal(host.last_stack.n, at_entry.n);
	assert_int_equal(at_entry.frames[1].pc, RET);
	assert_int_equal(host.last_stack.frames[1].pc, RET + 16);
	/* The same caller is the same site, wherever in the function the probe sits. */
	host__call(FN_MALLOC, SP, RET, ARGS(1));
	host__return_from(FN_MALLOC, SP, C);
	assert_int_equal(host__site(0)->allocs, 2);
	assert_int_equal(state.next_site, 2);
	host__assert_nothing_lost();
}

/* It is reached by a jump, or jumps itself. */
static void jumps_between_probes(void **how)
{
	(void)how;
	host__see_rets(FN_MALLOC);
	host__see_rets(FN_ALIGNED_ALLOC);
	move_probe(FN_MALLOC, 11, 40, 7, LT_NO_REG);
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 200));
	host__jump(FN_MALLOC, SP, ARGS(216));
	host__return_from(FN_MALLOC, SP, A);
	host__assert_live(1, 200);
	assert_int_equal(host__slot(0)->allocs, 1);
	assert_int_equal(host__site(0)->fn, FN_ALIGNED_ALLOC);
	/* Called from inside the allocator. */
	host__poke(SP - 40, RET);
	host__call(FN_MALLOC, SP, host__inside(FN_CALLOC), ARGS(8));
	assert_int_equal(host__pending(), 0);
	host__assert_nothing_lost();
}

/* The allocator's own calls are told by where the module is mapped: by the probe's address, not the function's. */
static void far_behind_the_entry(void **how)
{
	(void)how;
	move_probe(FN_MALLOC, 0xf0, 0, 7, LT_NO_REG);
	host__calls(FN_MALLOC, SP, host__inside(FN_CALLOC), ARGS(8), A);
	host__assert_live(0, 0);
	host__calls(FN_MALLOC, SP, RET, ARGS(8), A);
	host__assert_live(1, 8);
	/* As far as the type goes. */
	move_probe(FN_FREE, 0xfe, 0xfff8, LT_NO_REG, 12);
	host__poke(SP, RET);
	host__hit(FN_FREE, SP, &(struct pt_regs){.r12 = A});
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

/* aligned_alloc and free_sized become functions of another module, as operator new and delete are. */
static void make_second_module(void)
{
	static const enum host_fn moved[] = {FN_ALIGNED_ALLOC, FN_FREE_SIZED};
	struct lt_module *first = host__module(0), *second = host__module(1);
	size_t i;
	u32 at;

	memset(second, 0, sizeof(*second));
	for (i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		struct lt_fn fn = host__fn(moved[i]);

		fn.module = 1;
		host__change_fn(moved[i], &fn);
	}
	/* In the order of the ranges, which is that of the functions. */
	second->ranges[second->n++] = first->ranges[FN_FREE_SIZED];
	second->ranges[second->n++] = first->ranges[FN_ALIGNED_ALLOC];
	for (i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		at = moved[i];
		memmove(&first->ranges[at], &first->ranges[at + 1], (first->n - at - 1) * sizeof(first->ranges[0]));
		first->n--;
	}
}

/* operator new calls malloc, operator delete calls free: each block is born and dies once, in the outer function. */
static void calls_between_modules(void **how)
{
	(void)how;
	make_second_module();
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 100));
	host__calls(FN_MALLOC, SP - 0x40, host__inside(FN_ALIGNED_ALLOC), ARGS(100), A);
	host__return(SP, A);
	host__assert_live(1, 100);
	assert_int_equal(host__slot(0)->allocs, 1);
	/* A handler that it calls allocates for itself. */
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 50));
	host__calls(FN_MALLOC, SP - 0x80, RET, ARGS(7), B);
	host__return(SP, C);
	host__assert_live(3, 157);
	host__call(FN_FREE_SIZED, SP, RET, ARGS(A));
	host__call(FN_FREE, SP - 0x20, host__inside(FN_FREE_SIZED), ARGS(A));
	host__assert_live(2, 57);
	assert_int_equal(host__slot(0)->frees, 1);
	assert_int_equal(host__slot(0)->frees_untracked, 0);
	/* Of another block it is another release, as by a destructor. */
	host__call(FN_FREE_SIZED, SP, RET, ARGS(C));
	host__call(FN_FREE, SP - 0x20, RET, ARGS(B));
	host__assert_live(0, 0);
	host__assert_nothing_lost();
}

/* What was left by an exception is no caller of what is called later from elsewhere. */
static void left_by_an_exception(void **how)
{
	(void)how;
	make_second_module();
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 100));
	host__calls(FN_MALLOC, SP - 0x40, RET, ARGS(8), A);
	host__assert_live(1, 8);
	host__calls(FN_MALLOC, SP + 0x40, RET, ARGS(9), B);
	host__assert_live(2, 17);
	host__assert_nothing_lost();
}

/* A wrapper that puts a header before each block frees another pointer than it is given; nobody has asked for that. */
static void wrapper_with_header(void **how)
{
	(void)how;
	make_second_module();
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 100));
	host__calls(FN_MALLOC, SP - 0x40, host__inside(FN_ALIGNED_ALLOC), ARGS(116), A);
	host__return(SP, A + 16);
	host__assert_live(1, 100);
	host__call(FN_FREE_SIZED, SP, RET, ARGS(A + 16));
	host__call(FN_FREE, SP - 0x20, host__inside(FN_FREE_SIZED), ARGS(A));
	host__assert_live(0, 0);
	assert_int_equal(host__slot(0)->frees, 1);
	assert_int_equal(host__slot(0)->frees_untracked, 0);
	host__assert_nothing_lost();
}

/* What an allocator gives back for the program, which had it from below: it was counted, and is gone. */
static void allocator_frees_what_is_tracked(void **how)
{
	(void)how;
	make_second_module();
	host__calls(FN_MALLOC, SP, RET, ARGS(100), A);
	host__calls(FN_MALLOC, SP, RET, ARGS(10), B);
	host__call(FN_FREE_SIZED, SP, RET, ARGS(B));
	host__call(FN_FREE, SP - 0x20, host__inside(FN_FREE_SIZED), ARGS(A));
	host__call(FN_FREE, SP - 0x20, host__inside(FN_FREE_SIZED), ARGS(B));
	host__assert_live(0, 0);
	assert_int_equal(host__slot(0)->frees, 2);
	assert_int_equal(host__slot(0)->frees_untracked, 0);
	host__assert_nothing_lost();
}

/*
 * A third one above the two: operator new calls a wrapper's malloc, which calls the one below. The second call comes
 * from code whose own call was not counted.
 */
static void layers(void **how)
{
	struct lt_module *third = host__module(2), *first = host__module(0);
	struct lt_fn fn = host__fn(FN_CALLOC);
	u32 i;

	(void)how;
	make_second_module();
	fn.module = 2;
	host__change_fn(FN_CALLOC, &fn);
	*third = (struct lt_module){.n = 1, .ranges = {{fn.vaddr, fn.vaddr + 0x100}}};
	for (i = 0; first->ranges[i].start != fn.vaddr; i++)
		;
	memmove(&first->ranges[i], &first->ranges[i + 1], (--first->n - i) * sizeof(first->ranges[0]));
	for (i = 0; i < 3; i++) {
		host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 100));
		host__call(FN_CALLOC, SP - 0x40, host__inside(FN_ALIGNED_ALLOC), ARGS(1, 100));
		host__calls(FN_MALLOC, SP - 0x80, host__inside(FN_CALLOC), ARGS(116), A + 0x100 * i);
		host__calls(FN_MALLOC, SP - 0x80, host__inside(FN_CALLOC), ARGS(8), B + 0x100 * i);
		host__return(SP - 0x40, A + 0x100 * i);
		host__return(SP, A + 0x100 * i);
		host__assert_live(i + 1, 100 * (i + 1));
	}
	/* By a tail jump into the wrapper. */
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 7));
	host__jump(FN_CALLOC, SP, ARGS(1, 7));
	host__calls(FN_MALLOC, SP - 0x40, host__inside(FN_CALLOC), ARGS(23), C);
	host__return(SP, C);
	host__assert_live(4, 307);
	host__assert_nothing_lost();
}

/* Whatever an allocator of the user's calls is its own, through helpers, too; but not after a long jump out of it. */
static void all_below_is_its_own(void **how)
{
	struct lt_fn fn;

	(void)how;
	make_second_module();
	fn = host__fn(FN_ALIGNED_ALLOC);
	fn.covers = 1;
	host__change_fn(FN_ALIGNED_ALLOC, &fn);
	host.n_callers = 1;
	host.callers[0] = RET;
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 100));
	host__calls(FN_MALLOC, SP - 0x80, RET + 0x500, ARGS(4096), A);
	host__return(SP, A + 16);
	host__assert_live(1, 100);
	/* Left by an exception. Its return address is still there, but no frame has it. */
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 100));
	host.callers[0] = RET + 0x40;
	host__calls(FN_MALLOC, SP - 0x80, RET + 0x500, ARGS(8), B);
	host__assert_live(2, 108);
	/* The stack is used for something else now. */
	host.callers[0] = RET;
	host__poke(SP, 1);
	host__calls(FN_MALLOC, SP - 0x80, RET + 0x500, ARGS(9), C);
	host__assert_live(3, 117);
	host__assert_nothing_lost();
}

/* operator new calls malloc by way of a helper that is not known, as does realloc: the same block comes out of both. */
static void same_block_by_a_helper(void **how)
{
	(void)how;
	make_second_module();
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 100));
	host__calls(FN_MALLOC, SP - 0x80, RET + 0x500, ARGS(100), A);
	host__return(SP, A);
	host__assert_live(1, 100);
	assert_int_equal(host__slot(0)->allocs, 1);
	/* What it allocates for something else is another block. */
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 50));
	host__calls(FN_MALLOC, SP - 0x80, RET + 0x500, ARGS(7), B);
	host__return(SP, C);
	host__assert_live(3, 157);
	/* Larger, in another place. */
	host__call(FN_REALLOCARRAY, SP, RET, ARGS(A, 1, 200));
	host__calls(FN_REALLOC, SP - 0x80, RET + 0x500, ARGS(A, 200), A + 0x100);
	host__return(SP, A + 0x100);
	host__assert_live(3, 257);
	assert_int_equal(host__slot(0)->frees, 1);
	assert_int_equal(host__slot(0)->frees_untracked, 0);
	/* operator delete calls free by way of another. */
	host__call(FN_FREE_SIZED, SP, RET, ARGS(A + 0x100));
	host__call(FN_FREE, SP - 0x80, RET + 0x500, ARGS(A + 0x100));
	host__assert_live(2, 57);
	assert_int_equal(host__slot(0)->frees, 2);
	host__assert_nothing_lost();
}

/* An allocator makes larger what the program had from another and gave it. */
static void allocator_grows_what_is_tracked(void **how)
{
	(void)how;
	make_second_module();
	host__calls(FN_MALLOC, SP, RET, ARGS(100), A);
	host__call(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 10));
	host__calls(FN_REALLOC, SP - 0x40, host__inside(FN_ALIGNED_ALLOC), ARGS(A, 500), B);
	host__return(SP, C);
	host__assert_live(2, 510);
	assert_int_equal(host__slot(0)->frees_untracked, 0);
	host__assert_nothing_lost();
}

/* A library with an allocator was unloaded, and another program's code is in its place. */
static void unloaded(void **how)
{
	(void)how;
	make_second_module();
	host__calls(FN_ALIGNED_ALLOC, SP, RET, ARGS(16, 100), A);
	host__call(FN_CALLOC, SP, RET, ARGS(1, 50));
	host__calls(FN_MALLOC, SP - 0x40, host__inside(FN_ALIGNED_ALLOC), ARGS(7), B);
	host__return(SP, C);
	host__assert_live(2, 150);
	host__space(0)->stale++;
	host__call(FN_CALLOC, SP, RET, ARGS(1, 50));
	host__calls(FN_MALLOC, SP - 0x40, host__inside(FN_ALIGNED_ALLOC), ARGS(7), B);
	host__return(SP, C + 0x100);
	host__assert_live(4, 207);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(arguments_in_any_register),
		HOST_TEST(count_in_another_register),
		HOST_TEST(stack_pointer_moved_in_free),
		HOST_TEST(stack_pointer_moved_in_malloc),
		HOST_TEST(jumps_between_probes),
		HOST_TEST(far_behind_the_entry),
		HOST_TEST(calls_between_modules),
		HOST_TEST(left_by_an_exception),
		HOST_TEST(wrapper_with_header),
		HOST_TEST(allocator_frees_what_is_tracked),
		HOST_TEST_FP(all_below_is_its_own),
		HOST_TEST(layers),
		HOST_TEST(unloaded),
		HOST_TEST(same_block_by_a_helper),
		HOST_TEST(allocator_grows_what_is_tracked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
