/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said about single instructions: whether the kernel emulates them, where they lead, what they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "code_bytes.h"
#include "place_rules.h"

#define N(a)	 (sizeof(a) / sizeof((a)[0]))
#define BIT(reg) (1u << (reg))
#define RSP	 BIT(GPR_RSP)

static struct insn decode(const char *hex)
{
	struct code code = code_of(hex);
	struct insn i;

	if (!insn__decode(&i, code.bytes, code.n, code.vaddr))
		fail_msg("%s is no instruction", hex);
	if (i.length != code.n)
		fail_msg("%s has %u bytes", hex, i.length);
	/* What is said to be emulated is. */
	if (i.emulated && !kernel_emulates(code.bytes, code.n))
		fail_msg("%s is not emulated", hex);
	return i;
}

/* arch/x86/kernel/uprobes.c: branch_setup_xol_ops(), push_setup_xol_ops(). */
static void emulated(void **state)
{
	static const char *const all[] = {"90", "eb 10", "eb fe", "e9 00 10 00 00", "e9 fb ff ff ff"};
	char hex[64];
	unsigned int i;

	(void)state;
	for (i = 0; i < N(all); i++)
		assert_true(decode(all[i]).emulated);
	for (i = 0; i < 8; i++) {
		snprintf(hex, sizeof(hex), "%02x", 0x50 + i);
		assert_true(decode(hex).emulated);
		snprintf(hex, sizeof(hex), "41 %02x", 0x50 + i);
		assert_true(decode(hex).emulated);
	}
	for (i = 0; i < 16; i++) {
		snprintf(hex, sizeof(hex), "%02x 10", 0x70 + i);
		assert_true(decode(hex).emulated);
		snprintf(hex, sizeof(hex), "0f %02x 00 10 00 00", 0x80 + i);
		assert_true(decode(hex).emulated);
	}
}

static const char *const stepped[] = {
	"f3 0f 1e fa", /* endbr64 */
	"66 90",       /* nop with a 16-bit prefix; multi-byte nops */
	"0f 1f 00",
	"66 0f 1f 44 00 00",
	"0f 1f 84 00 00 00 00 00",
	"f3 90", /* pause */
	"41 90",
	"48 90", /* xchg %eax, %r8d; nop with REX.W */
	"66 e9 00 10 00 00",
	"66 0f 84 00 10 00 00",
	"66 74 10",
	"66 eb 10", /* 16-bit jumps */
	"3e 74 10",
	"2e 75 10",	     /* branch hints; notrack */
	"f2 e9 00 10 00 00", /* bnd jmp */
	"6a 00",
	"68 00 10 00 00",
	"ff 37",
	"ff 35 00 10 00 00",
	"ff f0",
	"9c", /* push of others; pushf */
	"48 50",
	"49 50",
	"40 50",
	"66 50",
	"66 41 50", /* push with more before it */
	"e8 00 10 00 00",
	"ff d0",
	"ff 15 00 10 00 00", /* calls */
	"c3",
	"f3 c3",
	"c2 08 00",
	"58",
	"41 58",
	"c9", /* ret, pop, leave */
	"48 83 ec 18",
	"48 85 ff",
	"48 89 fb",
	"48 8d 47 08",
	"31 c0",
	"80 3d 00 10 00 00 00",
	"ff 25 00 10 00 00",
	"ff e0",
	"3e ff e0", /* jumps by a pointer */
	"e0 10",
	"e1 10",
	"e2 10",
	"e3 10",
	"67 e3 10", /* loop, jrcxz */
	"0f 0b",
	"f4",
	"cc",
	"0f 05",
};

static void single_stepped(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < N(stepped); i++) {
		if (decode(stepped[i]).emulated)
			fail_msg("%s is said to be emulated", stepped[i]);
	}
}

static const struct {
	const char *hex;
	enum insn_flow flow;
	int64_t target; /* from the beginning of the instruction; 0: none */
} ways[] = {
	{"eb 10", INSN_JUMP, 0x12},
	{"eb fe", INSN_JUMP, 0},
	{"eb 80", INSN_JUMP, -126},
	{"e9 00 10 00 00", INSN_JUMP, 0x1005},
	{"e9 fb ef ff ff", INSN_JUMP, -0x1000},
	{"f2 e9 00 10 00 00", INSN_JUMP, 0x1006},
	{"74 10", INSN_BRANCH, 0x12},
	{"0f 85 00 10 00 00", INSN_BRANCH, 0x1006},
	{"0f 8f fa ef ff ff", INSN_BRANCH, -0x1000},
	{"e2 f0", INSN_BRANCH, -14},
	{"e3 10", INSN_BRANCH, 0x12},
	{"c7 f8 00 10 00 00", INSN_BRANCH, 0x1006}, /* xbegin */
	{"e8 00 10 00 00", INSN_CALL, 0x1005},
	{"ff d0", INSN_CALL, INT64_MIN},
	{"ff 15 00 10 00 00", INSN_CALL, INT64_MIN},
	{"ff 25 00 10 00 00", INSN_JUMP_POINTER, INT64_MIN},
	{"f2 ff 25 00 10 00 00", INSN_JUMP_POINTER, INT64_MIN},
	{"ff e0", INSN_JUMP_ANYWHERE, INT64_MIN},
	{"41 ff e3", INSN_JUMP_ANYWHERE, INT64_MIN},
	{"3e ff e2", INSN_JUMP_ANYWHERE, INT64_MIN},
	{"ff 60 18", INSN_JUMP_ANYWHERE, INT64_MIN},
	{"ff 24 c5 00 20 40 00", INSN_JUMP_ANYWHERE, INT64_MIN},
	{"ff 24 25 00 20 40 00", INSN_JUMP_ANYWHERE, INT64_MIN}, /* a word at a fixed place, but not so written */
	{"c3", INSN_RETURN, INT64_MIN},
	{"f3 c3", INSN_RETURN, INT64_MIN},
	{"f2 c3", INSN_RETURN, INT64_MIN},
	{"c2 08 00", INSN_RETURN, INT64_MIN},
	{"cb", INSN_RETURN, INT64_MIN},
	{"0f 0b", INSN_END, INT64_MIN},
	{"f4", INSN_END, INT64_MIN},
	{"cc", INSN_END, INT64_MIN},
	{"0f b9 c0", INSN_END, INT64_MIN},
	{"90", INSN_NEXT, INT64_MIN},
	{"0f 05", INSN_NEXT, INT64_MIN}, /* syscall */
	{"0f 44 c1", INSN_NEXT, INT64_MIN},
	{"0f 94 c0", INSN_NEXT, INT64_MIN},
	{"55", INSN_NEXT, INT64_MIN},
};

static void where_it_leads(void **state)
{
	unsigned int k;

	(void)state;
	for (k = 0; k < N(ways); k++) {
		struct insn i = decode(ways[k].hex);
		uint64_t target = ways[k].target == INT64_MIN ? 0 : CODE_VADDR + (uint64_t)ways[k].target;

		if (i.flow != ways[k].flow || i.target != target)
			fail_msg("%s leads to 0x%lx, way %u", ways[k].hex, (unsigned long)i.target, i.flow);
	}
}

static const struct {
	const char *hex;
	uint32_t writes;
} written[] = {
	{"48 89 f8", BIT(GPR_RAX)},					      /* mov %rdi, %rax */
	{"b0 01", BIT(GPR_RAX)},					      /* mov $1, %al */
	{"b4 01", BIT(GPR_RAX)},					      /* mov $1, %ah */
	{"b7 01", BIT(GPR_RBX)},					      /* mov $1, %bh */
	{"40 b7 01", BIT(GPR_RDI)},					      /* mov $1, %dil */
	{"66 bf 01 00", BIT(GPR_RDI)},					      /* mov $1, %di */
	{"31 db", BIT(GPR_RBX)},					      /* xor %ebx, %ebx */
	{"45 31 ff", BIT(15)},						      /* xor %r15d, %r15d */
	{"48 87 fe", BIT(GPR_RDI) | BIT(GPR_RSI)},			      /* xchg */
	{"48 87 37", BIT(GPR_RSI)},					      /* xchg %rsi, (%rdi) */
	{"f0 48 0f b1 0a", BIT(GPR_RAX)},				      /* lock cmpxchg %rcx, (%rdx) */
	{"48 0f b1 ca", BIT(GPR_RAX) | BIT(GPR_RDX)},			      /* cmpxchg %rcx, %rdx */
	{"48 0f c1 fe", BIT(GPR_RDI) | BIT(GPR_RSI)},			      /* xadd */
	{"48 f7 e7", BIT(GPR_RAX) | BIT(GPR_RDX)},			      /* mul */
	{"48 f7 f7", BIT(GPR_RAX) | BIT(GPR_RDX)},			      /* div */
	{"48 0f af df", BIT(GPR_RBX)},					      /* imul %rdi, %rbx */
	{"48 0f 45 c7", BIT(GPR_RAX)},					      /* cmovne: perhaps */
	{"0f 94 c0", BIT(GPR_RAX)},					      /* sete */
	{"f3 48 ab", BIT(GPR_RDI) | BIT(GPR_RCX)},			      /* rep stos */
	{"48 a5", BIT(GPR_RDI) | BIT(GPR_RSI)},				      /* movs */
	{"0f a2", BIT(GPR_RAX) | BIT(GPR_RBX) | BIT(GPR_RCX) | BIT(GPR_RDX)}, /* cpuid */
	{"0f 31", BIT(GPR_RAX) | BIT(GPR_RDX)},				      /* rdtsc */
	{"0f 05", BIT(GPR_RCX) | BIT(11)},				      /* syscall */
	{"48 98", BIT(GPR_RAX)},					      /* cltq */
	{"55", RSP},							      /* push */
	{"5d", RSP | BIT(GPR_RBP)},					      /* pop %rbp */
	{"c9", RSP | BIT(GPR_RBP)},					      /* leave */
	{"48 83 ec 18", RSP},
	{"66 48 0f 7e c0", BIT(GPR_RAX)}, /* movq %xmm0, %rax */
	{"66 48 0f 6e c0", 0},		  /* movq %rax, %xmm0 */
	{"48 89 07", 0},		  /* mov %rax, (%rdi) */
	{"48 85 ff", 0},		  /* test */
	{"48 39 f7", 0},		  /* cmp */
	{"ff 07", 0},			  /* incl (%rdi) */
	{"0f 1f 44 00 00", 0},		  /* nop */
	{"f3 0f 1e fa", 0},		  /* endbr64 */
};

static void what_it_writes(void **state)
{
	unsigned int k;

	(void)state;
	for (k = 0; k < N(written); k++) {
		uint32_t writes = decode(written[k].hex).writes;

		if (writes != written[k].writes)
			fail_msg("%s writes 0x%x", written[k].hex, writes);
	}
}

static const struct {
	const char *hex;
	bool known;
	int32_t moves;
} moves[] = {
	{"55", true, -8},
	{"41 57", true, -8},
	{"54", true, -8},
	{"6a 00", true, -8},
	{"68 00 10 00 00", true, -8},
	{"ff 37", true, -8},
	{"9c", true, -8},
	{"48 50", true, -8},
	{"5d", true, 8},
	{"41 5f", true, 8},
	{"8f 07", true, 8},
	{"48 83 ec 18", true, -24},
	{"48 83 c4 18", true, 24},
	{"48 83 c4 e8", true, -24},
	{"48 81 ec 00 10 00 00", true, -4096},
	{"48 81 c4 00 f0 ff ff", true, -4096},
	{"66 50", false, 0},
	{"66 6a 00", false, 0},
	{"66 9c", false, 0},
	{"66 58", false, 0},
	{"5c", false, 0},
	{"48 83 e4 f0", false, 0},
	{"48 89 ec", false, 0},
	{"48 8d 64 24 e8", false, 0},
	{"48 94", false, 0},
	{"48 29 c4", false, 0},
	{"83 ec 18", false, 0},
	{"c9", false, 0},
	{"c8 10 00 00", false, 0},
	{"48 81 ec 00 00 00 40", false, 0},
	{"48 81 ec 00 00 00 80", false, 0},
	{"9d", false, 0},
	{"48 ff cc", false, 0},
};

static void stack_pointer(void **state)
{
	unsigned int k;

	(void)state;
	for (k = 0; k < N(moves); k++) {
		struct insn i = decode(moves[k].hex);

		assert_true(i.moves_sp);
		if (i.sp_known != moves[k].known || i.sp_moves != moves[k].moves)
			fail_msg("%s moves it by %d", moves[k].hex, i.sp_moves);
	}
	assert_false(decode("48 89 e5").moves_sp);
	assert_false(decode("48 8d 44 24 08").moves_sp);
	assert_false(decode("48 83 3c 24 00").moves_sp);
}

static void tests_and_copies(void **state)
{
	static const char *const no_test[] = {"85 ff",	  "40 84 ff", "66 85 ff",
					      "48 85 fe", "48 85 07", "48 f7 c7 01 00 00 00",
					      "48 39 ff", "48 09 ff", "48 21 ff"};
	static const char *const no_copy[] = {
		"89 f8",	  "66 89 f8",	    "88 f8",	"48 8b 07", "48 89 07",	   "48 8d 07",
		"48 63 c7",	  "0f b6 c7",	    "48 89 e5", "48 89 fc", "48 0f 44 c7", "48 c7 c0 00 00 00 00",
		"66 48 0f 6e c7", "66 48 0f 7e c0", "48 8c d8", "48 8e d8", "0f 20 c0"};
	struct insn i;
	size_t k;

	(void)state;
	assert_int_equal(decode("48 85 ff").tests, GPR_RDI);
	assert_int_equal(decode("4d 85 c0").tests, GPR_R8);
	for (k = 0; k < N(no_test); k++)
		assert_int_equal(decode(no_test[k]).tests, INSN_NO_REG);
	i = decode("48 89 f8");
	assert_int_equal(i.copy_of, GPR_RDI);
	assert_int_equal(i.copy_to, GPR_RAX);
	i = decode("4c 8b cf"); /* the other way to write it: mov %rdi, %r9 */
	assert_int_equal(i.copy_of, GPR_RDI);
	assert_int_equal(i.copy_to, 9);
	for (k = 0; k < N(no_copy); k++) {
		if (decode(no_copy[k]).copy_of != INSN_NO_REG)
			fail_msg("%s is said to copy", no_copy[k]);
	}
}

static void small_facts(void **state)
{
	static const char *const zero[] = {"74 10", "0f 84 00 10 00 00"};
	static const char *const other[] = {"75 10", "76 10",	"78 10", "e3 10", "0f 85 00 10 00 00",
					    "eb 10", "0f 94 c0"};
	static const char *const nops[] = {"90", "66 90", "0f 1f 00", "66 2e 0f 1f 84 00 00 00 00 00"};
	static const char *const no_nops[] = {"f3 0f 1e fa", "f3 90", "41 90", "48 89 c0", "cc"};
	size_t k;

	(void)state;
	for (k = 0; k < N(zero); k++)
		assert_true(decode(zero[k]).if_zero);
	for (k = 0; k < N(other); k++)
		assert_false(decode(other[k]).if_zero);
	for (k = 0; k < N(nops); k++)
		assert_true(decode(nops[k]).is_nop);
	for (k = 0; k < N(no_nops); k++)
		assert_false(decode(no_nops[k]).is_nop);
	/* Of transactions: they lead nowhere that is known here. */
	assert_int_equal(decode("0f 01 d5").flow, INSN_NEXT);
	assert_int_equal(decode("c6 f8 10").flow, INSN_NEXT);
	assert_int_equal(decode("c7 f8 10 00 00 00").flow, INSN_BRANCH);
	assert_true(decode("48 63 04 82").indexed); /* movslq (%rdx, %rax, 4), %rax */
	assert_true(decode("49 63 0c 8b").indexed);
	assert_true(decode("48 63 04 bd 00 20 40 00").indexed);
	assert_false(decode("48 63 c7").indexed);
	assert_false(decode("48 63 07").indexed);
	assert_true(decode("48 8b 04 82").indexed); /* mov (%rdx, %rax, 4), %rax */
	assert_true(decode("ff 24 d0").indexed);
	assert_true(decode("48 8d 04 bd 00 00 00 00").indexed); /* lea */
	assert_int_equal(decode("48 8b 04 82").reads, 1u << GPR_RDX | 1u << GPR_RAX);
	assert_int_equal(decode("48 89 f8").reads, 1u << GPR_RDI);
}

static void no_instructions(void **state)
{
	static const char *const all[] = {"",
					  "06",
					  "d6",
					  "f0 90",
					  "0f",
					  "e8",
					  "e8 00 00 00",
					  "0f 84 00 00",
					  "48",
					  "f3 0f 1e",
					  "0f 04",
					  "c5",
					  "62",
					  "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"};
	struct code code;
	struct insn i;
	char text[64];
	size_t k;

	(void)state;
	for (k = 0; k < N(all); k++) {
		code = code_of(all[k]);
		if (insn__decode(&i, code.bytes, code.n, code.vaddr))
			fail_msg("%s is said to be an instruction", all[k]);
		assert_int_equal(i.length, 0);
		assert_string_equal(insn__text(code.bytes, code.n, code.vaddr, text, sizeof(text)), "?");
	}
	code = code_of("55");
	assert_string_equal(insn__text(code.bytes, code.n, code.vaddr, text, sizeof(text)), "push %rbp");
	assert_string_equal(insn__text(code.bytes, code.n, code.vaddr, text, 4), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(emulated),	  cmocka_unit_test(single_stepped),  cmocka_unit_test(where_it_leads),
		cmocka_unit_test(what_it_writes), cmocka_unit_test(stack_pointer),   cmocka_unit_test(tests_and_copies),
		cmocka_unit_test(small_facts),	  cmocka_unit_test(no_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
