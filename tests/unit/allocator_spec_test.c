/* SPDX-License-Identifier: GPL-2.0-only */
/* Allocators that the user describes: what each word of a spec means. */
#include "spec_words.h"

static void defaults(void **state)
{
	struct allocator_specs s = {};
	const struct family *f;

	(void)state;
	f = added(&s, "my.pool-2+: alloc_at=at alloc=a calloc=c realloc=r free=f reset=all");
	assert_string_equal(f->name, "my.pool-2+");
	/* Those that release come first, then those that reallocate; else they keep their order. */
	expect_family(f, "free f ptr0; reset all; realloc r size1 ptr0 throws; alloc_at at size2 ptr0 throws; "
			 "alloc a size0 throws; alloc c size1 count0 throws; ");
	allocator_specs__free(&s);
	assert_int_equal(s.list.n, 0);
}

static void arguments(void **state)
{
	struct allocator_specs s = {};

	(void)state;
	expect_family(added(&s, "x: alloc=a(size=6) calloc=b(size=3) calloc=c(count=4,size=5) realloc=d(size=3,ptr=2) "
				"realloc=e(count=2,size=3) alloc_at=g(result=2) free=f(ptr=3) alloc=h(size=2,count=1)"),
		      "free f ptr2; realloc d size2 ptr1 throws; realloc e size2 count1 ptr0 throws; "
		      "alloc a size5 throws; alloc b size2 count0 throws; alloc c size4 count3 throws; "
		      "alloc_at g size2 ptr1 throws; alloc h size1 count0 throws; ");
	expect_family(added(&s, "y: alloc_at=g(result=1,size=2,count=3) free=f() alloc=a() nothrow"),
		      "free f ptr0; alloc_at g size1 count2 ptr0; alloc a size0; ");
	/* An owner holds several, and each keeps its place. */
	assert_int_equal(s.list.n, 2);
	assert_string_equal(s.list.at[0]->name, "x");
	allocator_specs__free(&s);
}

static void blanks(void **state)
{
	static const char *const texts[] = {
		"x: alloc=a(size=2,nothrow) free=f(ptr=2)",
		"x:alloc=a(size=2,nothrow) free=f(ptr=2)",
		"  x:\t alloc=a( size=2 , nothrow )\n   free=f( ptr=2 )\r\n ",
		"x: free=f(ptr=2) alloc=a(nothrow,size=2)",
		"x: free=f(ptr=02) alloc=a(size=2) nothrow",
		"x: nothrow nothrow free=f(ptr=2,nothrow) alloc=a(size=2,nothrow)",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct allocator_specs s = {};

		expect_family(added(&s, texts[i]), "free f ptr1; alloc a size1; ");
		allocator_specs__free(&s);
	}
}

static void exceptions(void **state)
{
	struct allocator_specs s = {};

	(void)state;
	expect_family(added(&s, "x: alloc=a(nothrow) alloc=b free=f reset=r"),
		      "free f ptr0; reset r; alloc a size0; alloc b size0 throws; ");
	allocator_specs__free(&s);
}

static void names_of_functions(void **state)
{
	static const char *const good[] = {
		"_ZN4pool5allocEm",
		"alloc$part.0",
		"malloc@@GLIBC_2.2.5",
		"pool::get<char>",
		"~pool",
		"pool_alloc*",
		"*_alloc",
		"p?ol",
		"p[oa]ol",
		"p[!a-c]ol",
		"p[^]a]ol",
		"p[]]x",
		"_*",
		".hidden",
		"\xc3\xa4lloc",
		"[a-z]x",
		"nothrow_alloc",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct allocator_specs s = {};
		char text[128], want[128];

		snprintf(text, sizeof(text), "x: free=f alloc=%s(size=2)", good[i]);
		snprintf(want, sizeof(want), "free f ptr0; alloc %s size1 throws; ", good[i]);
		expect_family(added(&s, text), want);
		allocator_specs__free(&s);
	}
}

static void places_in_files(void **state)
{
	struct allocator_specs s = {};

	(void)state;
	expect_family(added(&s, "x: alloc=libx.so.6+0x1aF0(size=2) alloc=7-zip+0x1 "
				"free=libstdc++.so+0x0000ffffffffffffffff"),
		      "free libstdc++.so+0x0000ffffffffffffffff ptr0 at 0xffffffffffffffff of libstdc++.so; "
		      "alloc libx.so.6+0x1aF0 size1 at 0x1af0 of libx.so.6 throws; "
		      "alloc 7-zip+0x1 size0 at 0x1 of 7-zip throws; ");
	allocator_specs__free(&s);
}

static void pools(void **state)
{
	struct allocator_specs s = {};

	(void)state;
	expect_family(added(&s, "x: alloc=a(size=2,pool=1) calloc=c(pool=1,count=2,size=3) realloc=b(pool=6) free=f "
				"alloc_at=t(pool=4) reset=r(pool=1) reset=q(pool=3)"),
		      "free f ptr0; reset r pool0; reset q pool2; realloc b size1 ptr0 pool5 throws; "
		      "alloc a size1 pool0 throws; alloc c size2 count1 pool0 throws; "
		      "alloc_at t size2 ptr0 pool3 throws; ");
	expect_family(added(&s, "y: alloc=a reset=r reset=q nothrow"), "reset r; reset q; alloc a size0; ");
	expect_family(added(&s, "z: realloc=r free=f nothrow"), "free f ptr0; realloc r size1 ptr0; ");
	allocator_specs__free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),   cmocka_unit_test(arguments),	    cmocka_unit_test(blanks),
		cmocka_unit_test(exceptions), cmocka_unit_test(names_of_functions), cmocka_unit_test(places_in_files),
		cmocka_unit_test(pools),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
