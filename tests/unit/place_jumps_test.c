/* SPDX-License-Identifier: GPL-2.0-only */
/* Which instruction is chosen in functions that test for NULL, that jump back, and in those that are no functions. */
#include <time.h>

#include "place_fixture.h"

#define TEST_RDI "48 85 ff " /* test %rdi, %rdi */

static void null_is_let_by(void **state)
{
	static const struct expected want[] = {
		{TEST_RDI "74 02 " PUSH RET RET, 5, PLACE_NOT_ZERO, 0},
		{TEST_RDI "0f 84 00 10 00 00 " PUSH RET, 9, PLACE_NOT_ZERO, 0},
		{ENDBR TEST_RDI "74 02 " PUSH RET RET, 9, PLACE_NOT_ZERO, 0},
		/* mov %rdi, %rax; test %rax, %rax: a copy of it. */
		{"48 89 f8 48 85 c0 74 02 " PUSH RET RET, 8, PLACE_NOT_ZERO, 0},
		/* mov %rdi, %rax; xor %edi, %edi: the copy is what is left of it. */
		{"48 89 f8 31 ff 48 85 c0 74 02 " PUSH RET RET, 10, PLACE_NOT_ZERO, 0},
		{"48 83 ec 18 " TEST_RDI "74 02 " PUSH RET RET, 9, PLACE_NOT_ZERO, 24},
		/* Once is enough. */
		{TEST_RDI "74 06 " TEST_RDI "74 01 " PUSH RET, 8, PLACE_NOT_ZERO, 0},
		/* Nothing to probe behind it; the je before is as good as the entry. */
		{TEST_RDI "74 05 e8 00 10 00 00 " RET, 3, PLACE_FIRST, 0},
		{TEST_RDI "74 03 31 ff " PUSH RET, 3, PLACE_FIRST, 0},
		{TEST_RDI "74 04 48 83 e4 f0 " PUSH RET, 3, PLACE_FIRST, 0},
	};

	(void)state;
	ASSERT_CHOSEN(want, &frees);
}

static void no_test_for_null(void **state)
{
	static const struct expected want[] = {
		{"48 85 f6 74 01 " PUSH RET, 3, PLACE_FIRST, 0},	     /* test %rsi, %rsi */
		{"48 85 fe 74 01 " PUSH RET, 3, PLACE_FIRST, 0},	     /* test %rdi, %rsi */
		{"85 ff 74 01 " PUSH RET, 2, PLACE_FIRST, 0},		     /* test %edi, %edi */
		{"40 84 ff 74 01 " PUSH RET, 3, PLACE_FIRST, 0},	     /* test %dil, %dil */
		{"48 f7 c7 ff ff ff ff 74 01 " PUSH RET, 7, PLACE_FIRST, 0}, /* test $-1, %rdi */
		{TEST_RDI "75 01 " PUSH RET, 3, PLACE_FIRST, 0},	     /* jne */
		{TEST_RDI "78 01 " PUSH RET, 3, PLACE_FIRST, 0},	     /* js */
		{TEST_RDI "e3 01 " PUSH RET, 0, PLACE_NONE, 0},		     /* jrcxz */
		{TEST_RDI "48 01 c8 74 01 " PUSH RET, 6, PLACE_FIRST, 0},    /* add %rcx, %rax: other flags */
		{TEST_RDI "48 85 c0 74 01 " PUSH RET, 6, PLACE_FIRST, 0},    /* test %rax, %rax: other flags */
		{"48 83 3f 00 74 01 " PUSH RET, 4, PLACE_FIRST, 0},	     /* cmpq $0, (%rdi) */
		/* Of what was copied from it once, and of what it is now. */
		{"48 89 f8 48 8b 07 48 85 c0 74 01 " PUSH RET, 9, PLACE_FIRST, 0},
		{"48 89 f8 31 ff " TEST_RDI "74 01 " PUSH RET, 8, PLACE_FIRST, 0},
		{"89 f8 48 85 c0 74 01 " PUSH RET, 5, PLACE_FIRST, 0}, /* of mov %edi, %eax */
	};
	/* What allocates does so with zero, too. */
	static const struct expected all[] = {{TEST_RDI "74 01 " PUSH RET, 3, PLACE_FIRST, 0}};

	(void)state;
	ASSERT_CHOSEN(want, &frees);
	ASSERT_CHOSEN(all, &allocates);
}

static void jumps_back(void **state)
{
	static const struct expected want[] = {
		{ENDBR PUSH "eb fd " RET, 0, PLACE_JUMPS_BACK, 0},	       /* to the push */
		{ENDBR PUSH "e9 fa ff ff ff " RET, 0, PLACE_JUMPS_BACK, 0},    /* so, by 32 bits */
		{ENDBR PUSH "0f 85 f9 ff ff ff " RET, 0, PLACE_JUMPS_BACK, 0}, /* jne */
		{ENDBR PUSH "75 fd " RET, 0, PLACE_JUMPS_BACK, 0},
		{ENDBR PUSH "e2 fd " RET, 0, PLACE_JUMPS_BACK, 0},		  /* loop */
		{ENDBR PUSH "e8 fa ff ff ff " RET, 0, PLACE_JUMPS_BACK, 0},	  /* call */
		{ENDBR PUSH "c7 f8 f9 ff ff ff " RET, 0, PLACE_JUMPS_BACK, 0},	  /* xbegin */
		{ENDBR "48 8d 47 08 " PUSH "eb f9 " RET, 0, PLACE_JUMPS_BACK, 0}, /* to the lea before it */
		{ENDBR PUSH "eb fa " RET, 0, PLACE_JUMPS_BACK, 0},		  /* into the endbr64 */
		{ENDBR PUSH "53 eb fd " RET, 4, PLACE_FIRST, 0},		  /* to behind it */
		{ENDBR PUSH "53 eb f8 " RET, 4, PLACE_FIRST, 0},		  /* to the entry: a call once more */
		{ENDBR PUSH RET "eb fd " RET, 4, PLACE_FIRST, 0},		  /* from behind a ret, to that */
		{ENDBR PUSH RET "eb fc " RET, 0, PLACE_JUMPS_BACK, 0},
		{PUSH "eb fd " RET, 0, PLACE_ENTRY, 0},
	};

	(void)state;
	ASSERT_CHOSEN(want, &allocates);
}

/* Then a place before the test may do. */
static void jumps_back_to_behind_the_test(void **state)
{
	static const struct expected want[] = {
		{TEST_RDI "74 03 " PUSH "eb fd " RET, 3, PLACE_FIRST, 0},
		{TEST_RDI "74 04 90 " PUSH "eb fd " RET, 5, PLACE_NOT_ZERO, 0},
		{TEST_RDI "74 03 " PUSH "eb fb " RET, 0, PLACE_JUMPS_BACK, 0}, /* to the je */
		{TEST_RDI "74 00 " PUSH RET, 3, PLACE_FIRST, 0},	       /* no matter whether it is NULL */
	};

	(void)state;
	ASSERT_CHOSEN(want, &frees);
}

/* As far as there are functions. */
static void jumps_back_from_afar(void **state)
{
	static unsigned char bytes[256u << 10];
	struct code code = {.bytes = bytes, .n = sizeof(bytes), .vaddr = CODE_VADDR};
	int32_t distance = 4 - (int32_t)sizeof(bytes);

	(void)state;
	memset(bytes, 0x90, sizeof(bytes));
	bytes_of(ENDBR PUSH, bytes, 5);
	assert_int_equal(choose_in(&code, &allocates).offset, 4);
	bytes[sizeof(bytes) - 5] = 0xe9;
	memcpy(bytes + sizeof(bytes) - 4, &distance, 4);
	assert_int_equal(choose_in(&code, &allocates).why, PLACE_JUMPS_BACK);
	distance++;
	memcpy(bytes + sizeof(bytes) - 4, &distance, 4);
	assert_int_equal(choose_in(&code, &allocates).offset, 4);
}

static void jump_tables(void **state)
{
	/* notrack jmp *%rax behind movslq (%rdx,%rax,4), %rax; add %rdx, %rax: as compilers write it. */
	static const struct expected pic[] = {
		{ENDBR PUSH "48 63 04 82 48 01 d0 3e ff e0", 0, PLACE_JUMP_TABLE, 0},
		{ENDBR PUSH "48 63 04 82 48 01 d0 ff e0", 0, PLACE_JUMP_TABLE, 0},
		{PUSH "48 63 04 82 48 01 d0 ff e0", 0, PLACE_ENTRY, 0},
		{ENDBR PUSH "48 63 c7 ff e0", 4, PLACE_FIRST, 0},	/* movslq %edi, %rax */
		{ENDBR PUSH "48 63 07 ff e0", 4, PLACE_FIRST, 0},	/* movslq (%rdi), %rax */
		{ENDBR PUSH "48 63 04 82 " RET, 4, PLACE_FIRST, 0},	/* no jump */
		{ENDBR PUSH "5d ff e0", 4, PLACE_FIRST, 0},		/* a hook */
		{ENDBR PUSH "5d ff 60 18", 4, PLACE_FIRST, 0},		/* one in a structure */
		{ENDBR PUSH "5d ff 25 00 10 00 00", 4, PLACE_FIRST, 0}, /* jmp *…(%rip) */
	};
	/* By the address of the place itself, which is in the table: code that is not position-independent, computed
	 * goto. */
	static const struct expected addresses[] = {
		{ENDBR PUSH "ff 24 fd 00 20 40 00", 0, PLACE_JUMP_TABLE, 0}, /* jmp *…(,%rdi,8) */
		{ENDBR PUSH "ff 24 d0", 0, PLACE_JUMP_TABLE, 0},	     /* jmp *(%rax,%rdx,8) */
		{ENDBR PUSH "48 8b 04 f8 ff e0", 0, PLACE_JUMP_TABLE, 0},    /* mov (%rax,%rdi,8), %rax; jmp *%rax */
		{ENDBR PUSH "48 03 04 f8 ff e0", 0, PLACE_JUMP_TABLE, 0},    /* add */
		/* lea (%rdx,%rax,4), %rcx; movslq (%rcx), %rax; add %rdx, %rax; jmp *%rax */
		{ENDBR PUSH "48 8d 0c 82 48 63 01 48 01 d0 ff e0", 0, PLACE_JUMP_TABLE, 0},
		/* The same by another register, and from behind. */
		{ENDBR PUSH "eb 05 48 89 c7 ff e7 48 8b 04 f8 eb f5", 0, PLACE_JUMP_TABLE, 0},
		{ENDBR PUSH "48 8b 0c f8 ff e0", 4, PLACE_FIRST, 0}, /* a table of something else */
		{ENDBR PUSH "ff e0", 4, PLACE_FIRST, 0},
		{ENDBR PUSH "ff 25 00 10 00 00", 4, PLACE_FIRST, 0},
		{ENDBR PUSH "e9 00 10 00 00", 4, PLACE_FIRST, 0},
		{PUSH "ff 24 fd 00 20 40 00", 0, PLACE_ENTRY, 0},
	};

	(void)state;
	ASSERT_CHOSEN(pic, &allocates);
	ASSERT_CHOSEN(addresses, &allocates);
}

/* As glibc before 2.34 calls __malloc_hook: beside a table of blocks, which has nothing to do with it. */
#define HOOK_LOAD  "48 8b 05 00 10 00 00 " /* mov …(%rip), %rax */
#define HOOK_TEST  "48 8b 00 48 85 c0 "	   /* mov (%rax), %rax; test %rax, %rax */
#define FROM_TABLE "48 8b 04 ca "	   /* mov (%rdx,%rcx,8), %rax */

static void hooks(void **state)
{
	static const struct expected want[] = {
		{HOOK_LOAD PUSH HOOK_TEST "75 09 " FROM_TABLE "5d " RET "0f 1f 00 5d ff e0", 7, PLACE_FIRST, 0},
		/* Without the padding. */
		{HOOK_LOAD PUSH HOOK_TEST "75 06 " FROM_TABLE "5d " RET "5d ff e0", 7, PLACE_FIRST, 0},
		/* The pointer comes from a table; is changed before the jump; what is jumped by is not what was read.
		 */
		{FROM_TABLE PUSH HOOK_TEST "75 06 " FROM_TABLE "5d " RET "5d ff e0", 0, PLACE_JUMP_TABLE, 0},
		{HOOK_LOAD PUSH HOOK_TEST "75 06 " FROM_TABLE "5d " RET FROM_TABLE "ff e0", 0, PLACE_JUMP_TABLE, 0},
		{HOOK_LOAD PUSH HOOK_TEST "75 06 48 8b 0c ca 5d " RET "5d ff e1", 0, PLACE_JUMP_TABLE, 0},
		/* The jump is reached on another way, too: by a second branch, into the middle, from above. */
		{HOOK_LOAD PUSH HOOK_TEST "75 08 " FROM_TABLE "75 02 5d " RET "5d ff e0", 0, PLACE_JUMP_TABLE, 0},
		{HOOK_LOAD PUSH HOOK_TEST "75 08 " FROM_TABLE "75 03 5d " RET "5d ff e0", 0, PLACE_JUMP_TABLE, 0},
		{HOOK_LOAD PUSH HOOK_TEST "75 04 " FROM_TABLE "5d ff e0", 0, PLACE_JUMP_TABLE, 0},
		/* The branch is not on the straight way from the entry. */
		{HOOK_LOAD PUSH "74 00 " HOOK_TEST "75 06 " FROM_TABLE "5d " RET "5d ff e0", 0, PLACE_JUMP_TABLE, 0},
	};

	(void)state;
	ASSERT_CHOSEN(want, &allocates);
}

/* As a file can be made to waste our time: no more work for many such jumps than for one. */
static void many_jumps_by_register(void **state)
{
	static unsigned char bytes[256u << 10];
	struct code code = {.bytes = bytes, .n = sizeof(bytes), .vaddr = CODE_VADDR};
	time_t start = time(NULL);
	size_t i;

	(void)state;
	bytes_of(ENDBR PUSH "90", bytes, 6);
	for (i = 6; i < sizeof(bytes); i += 2)
		memcpy(bytes + i, "\xff\xe0", 2);
	assert_int_equal(choose_in(&code, &allocates).offset, 4);
	assert_in_range(time(NULL) - start, 0, 5);
}

static void without_size(void **state)
{
	static unsigned char huge[(256u << 10) + 1];
	struct code code = {.vaddr = CODE_VADDR};
	struct place p;

	(void)state;
	p = choose_in(&code, &allocates);
	assert_int_equal(p.why, PLACE_NO_SIZE);
	assert_false(p.emulated);
	memset(huge, 0x90, sizeof(huge));
	code = (struct code){.bytes = huge, .n = sizeof(huge), .vaddr = CODE_VADDR};
	bytes_of(ENDBR PUSH, huge, 5);
	assert_int_equal(choose_in(&code, &allocates).why, PLACE_NO_SIZE);
	bytes_of(PUSH, huge, 1);
	assert_int_equal(choose_in(&code, &allocates).why, PLACE_ENTRY);
}

static void not_all_code(void **state)
{
	static const struct expected want[] = {
		{ENDBR PUSH "06 " RET, 0, PLACE_NO_CODE, 0}, {ENDBR PUSH RET "e8 00 00", 0, PLACE_NO_CODE, 0},
		{ENDBR PUSH "f0 90", 0, PLACE_NO_CODE, 0}, /* lock nop */
		{PUSH "06 " RET, 0, PLACE_ENTRY, 0},	     {"f3 0f 1e", 0, PLACE_NONE, 0},
	};

	(void)state;
	ASSERT_CHOSEN(want, &allocates);
	ASSERT_CHOSEN(want, &frees);
}

static void given_up(void **state)
{
	struct code code = code_of(ENDBR "48 83 ec 18 " PUSH RET);
	struct place p = choose_in(&code, &frees);

	(void)state;
	assert_int_equal(p.sp_offset, 24);
	place__give_up(&p, &code, PLACE_ENTERED);
	assert_null(place_violation(&p, &code, &frees));
	assert_int_equal(p.why, PLACE_ENTERED);
	assert_int_equal(p.offset, 0);
	code = code_of(PUSH RET);
	place__give_up(&p, &code, PLACE_ENTERED);
	assert_null(place_violation(&p, &code, &frees));
	assert_int_equal(p.why, PLACE_ENTRY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_is_let_by),
		cmocka_unit_test(no_test_for_null),
		cmocka_unit_test(jumps_back),
		cmocka_unit_test(jumps_back_to_behind_the_test),
		cmocka_unit_test(jumps_back_from_afar),
		cmocka_unit_test(jump_tables),
		cmocka_unit_test(hooks),
		cmocka_unit_test(many_jumps_by_register),
		cmocka_unit_test(without_size),
		cmocka_unit_test(not_all_code),
		cmocka_unit_test(given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
