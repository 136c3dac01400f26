/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which instruction is chosen in what compilers make of an allocator, in many ways. What is chosen is compared with
 * what objdump says about the function.
 */
#include "symbolizer_fixture.h"
#include "place_fixture.h"

static const char allocator_c[] =
	"#include <stddef.h>\n"
	"struct block { struct block *next; size_t n; };\n"
	"extern struct block *list;\nextern void *(*hook)(size_t);\nextern int ready;\n"
	"void start(void), give(void *), fill(char *), *slow(size_t), *move(void *, size_t), *a(int), *b(int);\n"
	"void al_free(void *p)\n{\n	struct block *b = p;\n	if (!b)\n		return;\n"
	"	if (b->n > 4096) {\n		give(b);\n		return;\n	}\n"
	"	b->next = list;\n	list = b;\n}\n"
	"void al_free_started(void *p)\n{\n	if (!ready)\n		start();\n	if (p)\n		"
	"give(p);\n}\n"
	"void al_free_all(struct block *p)\n{\n	while (p) {\n		struct block *next = p->next;\n"
	"		give(p);\n		p = next;\n	}\n}\n"
	"void *al_malloc(size_t n)\n{\n	struct block *p = list;\n	if (hook)\n		return hook(n);\n"
	"	if (n > 4096 || !p)\n		return slow(n);\n	list = p->next;\n	return p;\n}\n"
	"void *al_calloc(size_t n)\n{\n	char *p = al_malloc(n);\n	size_t i;\n"
	"	for (i = 0; p && i < n; i++)\n		p[i] = 0;\n	return p;\n}\n"
	"void *al_buffer(size_t n)\n{\n	char copy[64];\n	fill(copy);\n	return slow(n + copy[n % 64]);\n}\n"
	"void *al_aligned(size_t n)\n{\n	_Alignas(64) char copy[64];\n	fill(copy);\n"
	"	return slow(n + copy[n % 64]);\n}\n"
	"void *al_by_class(size_t n)\n{\n	switch (n) {\n	case 0: return a(3);\n	case 1: return b(1);\n"
	"	case 2: return move(list, 2);\n	case 3: return slow(3);\n	case 4: return hook(7);\n"
	"	case 5: start(); return NULL;\n	case 6: return a(4);\n	default: return b(9);\n	}\n}\n";

/* An instruction as objdump prints it. */
struct line {
	uint64_t vaddr;
	char text[96];
};

/* A function as objdump prints it. */
struct listing {
	char name[32];
	struct code code;
	unsigned char bytes[1024];
	struct line line[512];
	size_t n;
};

static void add_line(struct listing *l, uint64_t vaddr, const char *bytes)
{
	const char *text = strchr(bytes, '\t');
	char hex[64];

	assert_true(l->n < 512);
	snprintf(hex, sizeof(hex), "%.*s", text ? (int)(text - bytes) : 63, bytes);
	if (!l->n)
		l->code.vaddr = vaddr;
	l->code.n += bytes_of(hex, l->bytes + l->code.n, sizeof(l->bytes) - l->code.n);
	l->line[l->n].vaddr = vaddr;
	snprintf(l->line[l->n++].text, sizeof(l->line[0].text), "%s", text ? text + 1 : "");
}

/* The next function of ours from what objdump prints. */
static bool read_listing(FILE *f, struct listing *l)
{
	char text[256], *end;
	uint64_t vaddr;

	l->n = l->code.n = 0;
	l->name[0] = '\0';
	l->code.bytes = l->bytes;
	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		vaddr = strtoull(text, &end, 16);
		if (l->name[0] && (end == text || *end != ':'))
			return true;
		if (l->name[0])
			add_line(l, vaddr, end + 2);
		else
			sscanf(text, "%*x <%31[a-z_]>:", l->name);
		if (l->name[0] && strncmp(l->name, "al_", 3))
			l->name[0] = '\0';
	}
	return l->name[0];
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool ends(const char *text, const char *with)
{
	size_t all = strlen(text), m = strlen(with);

	return all >= m && !strcmp(text + all - m, with);
}

/* A jump to a place that is written there. */
static bool is_jump(const char *text)
{
	return text[0] == 'j' && !strchr(text, '*') && !begins(text, "jrcxz");
}

/* Where the instruction leads to; 0: only to the next one, or by a pointer. */
static uint64_t leads_to(const char *text)
{
	const char *operand = strchr(text, ' ');

	if (!operand || strchr(text, '*') || (text[0] != 'j' && !begins(text, "call") && !begins(text, "loop")))
		return 0;
	return strtoull(operand, NULL, 16);
}

static bool is_null_test(const struct line *test, const struct line *jump)
{
	static const char *const words[] = {"rdi", "rax", "rdx", "rcx", "rbx", "rsi"};
	char text[32];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(text, sizeof(text), "test   %%%s,%%%s", words[i], words[i]);
		if (!strcmp(test->text, text))
			return begins(jump->text, "je ");
	}
	return false;
}

/* An instruction before the chosen one. */
static void assert_may_come_before(const struct listing *l, size_t i, const struct place *p,
				   const struct place_needs *needs)
{
	static const char *const rdi[] = {",%rdi", ",%edi", ",%di", ",%dil"};
	const char *text = l->line[i].text;
	size_t k;

	if (begins(text, "call") || begins(text, "ret") || begins(text, "jmp") || begins(text, "ud2") ||
	    begins(text, "notrack"))
		fail_msg("%s+0x%x is behind %s", l->name, p->offset, text);
	if (text[0] == 'j' && (p->why != PLACE_NOT_ZERO || !i || !is_null_test(&l->line[i - 1], &l->line[i])))
		fail_msg("%s+0x%x is behind %s", l->name, p->offset, text);
	if (needs->at_entry_sp && (begins(text, "push") || begins(text, "pop") || ends(text, ",%rsp")))
		fail_msg("%s+0x%x is behind %s", l->name, p->offset, text);
	for (k = 0; k < 4 && p->where[GPR_RDI] == GPR_RDI; k++) {
		if (ends(text, rdi[k]) && !begins(text, "test") && !begins(text, "cmp"))
			fail_msg("%s+0x%x: the argument is gone behind %s", l->name, p->offset, text);
	}
}

static void assert_right(const struct listing *l, const struct place *p, const struct place_needs *needs)
{
	bool found = false;
	uint64_t to;
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct line *line = &l->line[i];

		to = leads_to(line->text);
		if (to > l->code.vaddr && to <= l->code.vaddr + p->offset)
			fail_msg("%s leads to before %s+0x%x", line->text, l->name, p->offset);
		if (line->vaddr < l->code.vaddr + p->offset)
			assert_may_come_before(l, i, p, needs);
		if (line->vaddr != l->code.vaddr + p->offset)
			continue;
		found = true;
		if (p->emulated && !begins(line->text, "push   %r") && strcmp(line->text, "nop") &&
		    !is_jump(line->text))
			fail_msg("%s of %s is not emulated", line->text, l->name);
	}
	if (!found)
		fail_msg("%s+0x%x is no instruction", l->name, p->offset);
}

struct counts {
	unsigned int functions, emulated;
};

static void check_function(const struct listing *l, struct counts *n)
{
	const struct place_needs *all[] = {&frees, &allocates, &allocates_by_rets};
	struct place p;
	size_t i;

	for (i = 0; i < 3; i++) {
		if ((i == 0) != begins(l->name, "al_free"))
			continue;
		p = choose_in(&l->code, all[i]);
		assert_right(l, &p, all[i]);
		n->functions++;
		n->emulated += p.emulated;
	}
}

/* Build in one way, and check all functions. Flags that this compiler does not know are passed over. */
static struct counts check_build(const char *compiler, const char *flags, bool is_pic)
{
	static struct listing l;
	char command[512];
	struct counts n = {};
	FILE *f;

	snprintf(command, sizeof(command),
		 "cd %s && %s %s -w -c allocator.c -o allocator.o 2>/dev/null && ld %s allocator.o -o allocator", dir,
		 compiler, flags, is_pic ? "-shared" : "--unresolved-symbols=ignore-all -e 0");
	if (!succeeds(command))
		return n;
	snprintf(command, sizeof(command), "objdump -d --insn-width=15 %s", in_dir("allocator"));
	f = popen(command, "r");
	assert_non_null(f);
	while (read_listing(f, &l))
		check_function(&l, &n);
	pclose(f);
	return n;
}

static void add_counts(struct counts *to, struct counts n)
{
	to->functions += n.functions;
	to->emulated += n.emulated;
}

/* As distributions build; each compiler knows all of this. */
static void usual_builds(const char *compiler)
{
	/* The first ones not position-independent, too. */
	static const char *const flags[] = {"-O2",
					    "-O0",
					    "-O1",
					    "-Os -fstack-clash-protection",
					    "-O2 -fcf-protection",
					    "-O3 -fno-omit-frame-pointer -fcf-protection",
					    "-O2 -fstack-protector-all",
					    "-O2 -fpatchable-function-entry=3"};
	struct counts n, all = {};
	char pic[128];
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		snprintf(pic, sizeof(pic), "-fPIC %s", flags[i]);
		n = check_build(compiler, pic, true);
		assert_true(n.functions >= 13);
		add_counts(&all, n);
		if (i >= 2)
			continue;
		snprintf(pic, sizeof(pic), "-fno-pic %s", flags[i]);
		n = check_build(compiler, pic, false);
		assert_true(n.functions >= 13);
		add_counts(&all, n);
	}
	/* It is worth its while. */
	if (all.emulated * 100 < all.functions * 65)
		fail_msg("%s: only %u of %u are emulated", compiler, all.emulated, all.functions);
}

/* Of some of these a compiler may know nothing. */
static void odd_builds(const char *compiler)
{
	static const char *const flags[] = {"-pg -mfentry", "-mstackrealign", "-mcmodel=large",
					    "-fpatchable-function-entry=5,2 -fcf-protection",
					    "-mindirect-branch=thunk"};
	char pic[128];
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		snprintf(pic, sizeof(pic), "-fPIC -O2 %s", flags[i]);
		check_build(compiler, pic, true);
	}
}

static void by_gcc(void **state)
{
	(void)state;
	usual_builds("gcc");
	odd_builds("gcc");
}

static void by_clang(void **state)
{
	(void)state;
	skip_without("clang");
	usual_builds("clang");
	odd_builds("clang");
}

static int set_up_source(void **state)
{
	if (set_up(state))
		return -1;
	write_source("allocator.c", allocator_c);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_gcc),
		cmocka_unit_test(by_clang),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, set_up_source, tear_down);
}
