/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "probe/allocator_parsing.h"

#define GLOB_BYTES "*?["
#define HEX_DIGITS "0123456789abcdefABCDEF"

static bool has_byte(struct spec_word w, const char *bytes)
{
	size_t i;

	for (i = 0; i < w.n; i++) {
		if (strchr(bytes, w.at[i]))
			return true;
	}
	return false;
}

/* In the names of symbols; beyond ASCII all can be. */
static bool can_be_in_symbol(char c)
{
	return isalnum((unsigned char)c) || (c & 0x80) || strchr("_$.@:~<>", c);
}

static struct spec_word one_of(struct spec_word w, size_t i)
{
	struct spec_word one = {w.at + i, 1};

	return one;
}

/* Each bracket is closed, and something is left that not every name has. */
static int check_glob(const struct spec *s, struct spec_word w)
{
	bool literal = false;
	size_t i, first;

	for (i = 0; i < w.n; i++) {
		if (w.at[i] != '[') {
			literal |= !strchr("*?", w.at[i]);
			continue;
		}
		/* As fnmatch(3) reads it: a bracket that closes is one of the characters if it is the first. */
		first = i;
		i += i + 1 < w.n && strchr("!^", w.at[i + 1]) ? 2 : 1;
		for (i++; i < w.n && w.at[i] != ']' && w.at[i] != '['; i++)
			;
		if (i >= w.n || w.at[i] == '[')
			return spec__fail(s, one_of(w, first), " is not closed by ']'");
	}
	if (!literal)
		return spec__fail(s, w, " could be any function; a glob needs characters that stand for themselves");
	return 0;
}

static int check_symbol(const struct spec *s, struct spec_word w)
{
	bool glob = has_byte(w, GLOB_BYTES);
	size_t i;

	for (i = 0; i < w.n; i++) {
		if (!can_be_in_symbol(w.at[i]) && !(glob && strchr(GLOB_BYTES "]!^-", w.at[i])))
			return spec__fail(s, one_of(w, i),
					  " cannot be in a function's name; letters, digits and _ $ . @ : ~ < > can, "
					  "and * ? [ ] in a glob");
	}
	if (isdigit((unsigned char)w.at[0]))
		return spec__fail(s, w, " begins with a digit; give a symbol, a glob or MODULE+0xOFFSET");
	return glob ? check_glob(s, w) : 0;
}

/* A file's last component: what no other word could mean. */
static int check_module(const struct spec *s, struct spec_word w)
{
	size_t i;

	for (i = 0; i < w.n; i++) {
		if (w.at[i] == '/')
			return spec__fail(s, w, " has a folder; give the file's name alone, as in libx.so+0x1234");
		if (iscntrl((unsigned char)w.at[i]) || strchr(GLOB_BYTES "=,", w.at[i]))
			return spec__fail(s, one_of(w, i),
					  " cannot be in a file's name before +0x; give it as it is, as in "
					  "libx.so+0x1234");
	}
	return 0;
}

/* MODULE+0xOFFSET; plus points to the last '+'. */
static int take_offset(const struct spec *s, struct spec_fn *f, const char *plus)
{
	struct spec_word module = {f->name.at, (size_t)(plus - f->name.at)};
	struct spec_word offset = {plus + 1, f->name.n - module.n - 1};
	size_t digits, zeros;

	if (!module.n)
		return spec__fail(s, f->name, " has no file before its '+'; give one, as in libx.so+0x1234");
	if (offset.n < 3 || strncmp(offset.at, "0x", 2) || strspn(offset.at + 2, HEX_DIGITS) < offset.n - 2)
		return spec__fail(s, offset.n ? offset : one_of(f->name, module.n),
				  ": behind '+' an offset in hexadecimal is missing, as in libx.so+0x1234");
	zeros = strspn(offset.at + 2, "0");
	digits = offset.n - 2 - zeros;
	if (!digits || digits > 16)
		return spec__fail(s, offset, " is no address of code; give what nm or objdump -d shows");
	f->module = module.n;
	f->vaddr = strtoull(offset.at, NULL, 16);
	return check_module(s, module);
}

int spec__take_name(const struct spec *s, struct spec_fn *f)
{
	const char *plus = memrchr(f->name.at, '+', f->name.n);

	return plus ? take_offset(s, f, plus) : check_symbol(s, f->name);
}

static const struct spec_fn *find(const struct spec *s, bool (*is)(const struct spec_fn *))
{
	const struct spec_fn *f;

	for (f = s->fns; f < s->fns + s->n; f++) {
		if (is(f))
			return f;
	}
	return NULL;
}

static bool releases(const struct spec_fn *f)
{
	return !spec_fn__allocates(f);
}

static bool resets_pool(const struct spec_fn *f)
{
	return f->op == LT_OP_RESET && f->args[SPEC_POOL];
}

static bool resets_all(const struct spec_fn *f)
{
	return f->op == LT_OP_RESET && !f->args[SPEC_POOL];
}

static bool has_pool(const struct spec_fn *f)
{
	return f->args[SPEC_POOL];
}

static bool lacks_pool(const struct spec_fn *f)
{
	return spec_fn__allocates(f) && !f->args[SPEC_POOL];
}

/* A pool means something only if some function resets it, and then each block must be of a known one. */
static int check_pools(const struct spec *s)
{
	const struct spec_fn *all = find(s, resets_all);
	const struct spec_fn *with = find(s, has_pool);
	const struct spec_fn *without = find(s, lacks_pool);

	if (all && with)
		return spec__fail(
			s, with->word,
			" has pool=, but a reset without pool= releases all of '%.*s'; give it to both or neither",
			(int)s->name.n, s->name.at);
	if (with && !find(s, resets_pool))
		return spec__fail(s, with->word,
				  " has pool=, but nothing resets a pool; add reset=FN(pool=ARG) or leave it out");
	if (with && without)
		return spec__fail(
			s, without->word,
			" lacks pool=, but a reset has it; say which argument is the pool that it allocates from");
	return 0;
}

int spec__check(const struct spec *s)
{
	if (!find(s, spec_fn__allocates))
		return spec__fail(s, s->name, ": nothing in it allocates; add alloc=, calloc=, realloc= or alloc_at=");
	if (!find(s, releases))
		return spec__fail(s, s->name,
				  ": nothing in it releases: every block would look like a leak; add free= or reset=");
	return check_pools(s);
}
