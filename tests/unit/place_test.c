/* SPDX-License-Identifier: GPL-2.0-only */
/* Which instruction is chosen, rule by rule, in functions written for each. */
#include "place_fixture.h"

static void entry_and_first(void **state)
{
	static const struct expected want[] = {
		{PUSH RET, 0, PLACE_ENTRY, 0},
		{"41 57 " RET, 0, PLACE_ENTRY, 0},
		{"90 90 90 " PUSH RET, 0, PLACE_ENTRY, 0}, /* -fpatchable-function-entry=3 */
		{"e9 00 10 00 00", 0, PLACE_ENTRY, 0},	   /* jmp */
		{"74 01 " RET RET, 0, PLACE_ENTRY, 0},	   /* je */
		{ENDBR PUSH RET, 4, PLACE_FIRST, 0},
		{ENDBR "e9 00 10 00 00", 4, PLACE_FIRST, 0},
		{ENDBR "48 8b 05 00 10 00 00 " PUSH RET, 11, PLACE_FIRST, 0},	    /* mov …(%rip), %rax */
		{"48 81 ff 00 10 00 00 0f 87 00 10 00 00 " RET, 7, PLACE_FIRST, 0}, /* cmp $…, %rdi; ja */
		/* 66 90, 0f 1f …: emulated by some kernels only, so the next one is better. */
		{"66 90 " PUSH RET, 2, PLACE_FIRST, 0},
		{"0f 1f 44 00 00 " PUSH RET, 5, PLACE_FIRST, 0},
	};

	(void)state;
	ASSERT_CHOSEN(want, &allocates);
	ASSERT_CHOSEN(want, &frees);
}

static void nothing_emulated(void **state)
{
	static const struct expected want[] = {
		{RET, 0, PLACE_NONE, 0},
		{ENDBR RET, 0, PLACE_NONE, 0},
		{ENDBR "e8 00 10 00 00 " PUSH RET, 0, PLACE_NONE, 0}, /* call: -pg -mfentry */
		{ENDBR "ff 25 00 10 00 00 " PUSH, 0, PLACE_NONE, 0},  /* jmp *…(%rip) */
		{ENDBR "ff e0 " PUSH, 0, PLACE_NONE, 0},	      /* jmp *%rax */
		{ENDBR "0f 0b " PUSH, 0, PLACE_NONE, 0},	      /* ud2 */
		{ENDBR "e3 01 " PUSH RET, 0, PLACE_NONE, 0},	      /* jrcxz: a branch that is not emulated */
		{"06 " PUSH, 0, PLACE_NONE, 0},
	};

	(void)state;
	ASSERT_CHOSEN(want, &allocates);
	ASSERT_CHOSEN(want, &frees);
}

/* A prologue has no more than so many instructions. */
static void long_prologue(void **state)
{
	unsigned char bytes[4 * 64 + 2];
	struct code code = {.bytes = bytes, .vaddr = CODE_VADDR};
	unsigned int i;

	(void)state;
	for (i = 0; i < 64; i++)
		bytes_of(ENDBR, bytes + 4 * i, 4);
	bytes_of(PUSH RET, bytes + 4 * 63, 2);
	code.n = 4 * 63 + 2;
	assert_int_equal(choose_in(&code, &allocates).offset, 4 * 63);
	bytes_of(ENDBR PUSH RET, bytes + 4 * 63, 6);
	code.n = 4 * 64 + 2;
	assert_int_equal(choose_in(&code, &allocates).why, PLACE_NONE);
}

static void arguments_changed(void **state)
{
	static const struct expected want[] = {
		{"48 31 ff " PUSH RET, 0, PLACE_REGISTERS, 0},		   /* xor %rdi, %rdi */
		{"31 ff " PUSH RET, 0, PLACE_REGISTERS, 0},		   /* xor %edi, %edi */
		{"40 b7 01 " PUSH RET, 0, PLACE_REGISTERS, 0},		   /* mov $1, %dil */
		{"66 bf 01 00 " PUSH RET, 0, PLACE_REGISTERS, 0},	   /* mov $1, %di */
		{"48 87 fe " PUSH RET, 0, PLACE_REGISTERS, 0},		   /* xchg %rdi, %rsi */
		{"48 0f 44 f8 " PUSH RET, 0, PLACE_REGISTERS, 0},	   /* cmove %rax, %rdi */
		{"f3 ab " PUSH RET, 0, PLACE_REGISTERS, 0},		   /* rep stos */
		{"89 f8 31 ff " PUSH RET, 0, PLACE_REGISTERS, 0},	   /* copied by mov %edi, %eax: half of it */
		{"48 89 f8 31 ff 31 c0 " PUSH RET, 0, PLACE_REGISTERS, 0}, /* a copy that is overwritten */
		{"48 8b 3f " PUSH RET, 0, PLACE_REGISTERS, 0},		   /* mov (%rdi), %rdi */
		{"31 f6 " PUSH RET, 2, PLACE_FIRST, 0},			   /* another register */
		{"48 89 ff " PUSH RET, 3, PLACE_FIRST, 0},		   /* mov %rdi, %rdi */
		/* Only the second one comes when it is too late, but then the first one will do. */
		{ENDBR "70 10 31 ff " PUSH RET, 4, PLACE_FIRST, 0},
	};

	(void)state;
	ASSERT_CHOSEN(want, &allocates);
	ASSERT_CHOSEN(want, &frees);
}

static void arguments_copied(void **state)
{
	const struct place_needs two = {.arguments = 1u << GPR_RDI | 1u << GPR_RSI, .unless_zero = INSN_NO_REG};
	struct place p;

	(void)state;
	p = choose("48 89 f8 31 ff " PUSH RET, &allocates); /* mov %rdi, %rax; xor %edi, %edi */
	assert_int_equal(p.where[GPR_RDI], GPR_RAX);
	assert_int_equal(p.where[GPR_RSI], GPR_RSI);
	assert_int_equal(p.where[GPR_RAX], INSN_NO_REG);
	/* Copies of copies; itself first, if it still has it. */
	p = choose("48 89 f8 48 89 c1 31 c0 31 ff " PUSH RET, &allocates);
	assert_int_equal(p.where[GPR_RDI], GPR_RCX);
	p = choose("48 89 f8 " PUSH RET, &allocates);
	assert_int_equal(p.where[GPR_RDI], GPR_RDI);
	/* mov %rdi, %r9; mov %rsi, %rdi; mov %r9, %rsi: exchanged. */
	p = choose("49 89 f9 48 89 f7 4c 89 ce " PUSH RET, &two);
	assert_int_equal(p.where[GPR_RDI], GPR_RSI);
	assert_int_equal(p.where[GPR_RSI], GPR_RDI);
	/* mov %rdi, %rsp is no copy that could be used. */
	p = choose("48 89 fc 31 ff " PUSH RET, &allocates_by_rets);
	assert_int_equal(p.why, PLACE_REGISTERS);
	/* Where nothing is chosen, each is where it was. */
	p = choose("48 89 f8 31 ff " RET, &allocates);
	assert_int_equal(p.where[GPR_RDI], GPR_RDI);
}

/* A walk up the stack begins with the caller's registers; where there is none, they may have changed. */
static void registers_of_the_caller(void **state)
{
	static const char *const changes[] = {
		"31 db ",    /* xor %ebx, %ebx */
		"48 89 e5 ", /* mov %rsp, %rbp */
		"49 89 ff ", /* mov %rdi, %r15 */
		"0f a2 ",    /* cpuid */
	};
	char hex[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		snprintf(hex, sizeof(hex), "%s " PUSH RET, changes[i]);
		assert_int_equal(choose(hex, &allocates).why, PLACE_REGISTERS);
		assert_int_equal(choose(hex, &frees).why, PLACE_FIRST);
	}
	/* A copy will not do. */
	assert_int_equal(choose("48 89 e8 31 ed " PUSH RET, &allocates).why, PLACE_REGISTERS);
}

static void stack_pointer_moved(void **state)
{
	static const struct expected known[] = {
		{"48 83 ec 18 " PUSH RET, 4, PLACE_FIRST, 24},		   /* sub $24, %rsp */
		{"48 81 ec f8 ff 00 00 " PUSH RET, 7, PLACE_FIRST, 65528}, /* sub $65528, %rsp */
		{"48 83 c4 e8 " PUSH RET, 4, PLACE_FIRST, 24},		   /* add $-24, %rsp */
		{"6a 00 " PUSH RET, 2, PLACE_FIRST, 8},			   /* push $0 */
		{"ff 37 " PUSH RET, 2, PLACE_FIRST, 8},			   /* push (%rdi) */
		{"9c " PUSH RET, 1, PLACE_FIRST, 8},			   /* pushf */
		{"48 83 ec 18 6a 00 58 " PUSH RET, 7, PLACE_FIRST, 24},	   /* and pop %rax */
	};
	static const struct expected unknown[] = {
		{"48 83 e4 f0 " PUSH RET, 0, PLACE_STACK, 0},	       /* and $-16, %rsp */
		{"48 8d 64 24 e8 " PUSH RET, 0, PLACE_STACK, 0},       /* lea -24(%rsp), %rsp */
		{"48 29 c4 " PUSH RET, 0, PLACE_STACK, 0},	       /* sub %rax, %rsp */
		{"83 ec 18 " PUSH RET, 0, PLACE_STACK, 0},	       /* sub $24, %esp */
		{"48 94 " PUSH RET, 0, PLACE_STACK, 0},		       /* xchg %rax, %rsp */
		{"5c " PUSH RET, 0, PLACE_STACK, 0},		       /* pop %rsp */
		{"66 6a 00 " PUSH RET, 0, PLACE_STACK, 0},	       /* pushw $0 */
		{"48 81 ec 00 00 01 00 " PUSH RET, 0, PLACE_STACK, 0}, /* too far */
		{"58 " PUSH RET, 0, PLACE_STACK, 0},		       /* pop %rax: above the return address */
		{"c8 10 00 00 " PUSH RET, 0, PLACE_STACK, 0},	       /* enter */
	};
	size_t i;

	(void)state;
	ASSERT_CHOSEN(known, &frees);
	ASSERT_CHOSEN(known, &allocates_by_rets);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(choose(known[i].hex, &allocates).why, PLACE_STACK);
	ASSERT_CHOSEN(unknown, &frees);
	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(choose(unknown[i].hex, &allocates).offset, 0);
	/* It came back before: sub $24, %rsp; add $24, %rsp. */
	assert_int_equal(choose("48 83 ec 18 48 83 c4 18 " PUSH RET, &allocates).offset, 8);
	/* A push is better before it moves than behind. */
	assert_int_equal(choose(ENDBR PUSH "53 " RET, &allocates).offset, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entry_and_first),     cmocka_unit_test(nothing_emulated),
		cmocka_unit_test(long_prologue),       cmocka_unit_test(arguments_changed),
		cmocka_unit_test(arguments_copied),    cmocka_unit_test(registers_of_the_caller),
		cmocka_unit_test(stack_pointer_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
