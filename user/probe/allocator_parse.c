/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probe/allocator_parsing.h"

#define BLANKS	    " \t\r\n"
#define NAME_SIZE   32
#define NAME_BYTES  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+-"
#define SHOWN_BYTES 40 /* of a word that is wrong */
#define MAX_ARG	    6  /* those in registers */
#define OPTIONAL    0xff

static const char *const keys[SPEC_KEYS] = {"size", "count", "ptr", "result", "pool"};

/* args: the defaults; 0: it has no such argument. */
static const struct kind {
	const char *word;
	enum lt_op op;
	uint8_t args[SPEC_KEYS];
	const char *takes;
} kinds[] = {
	{"alloc", LT_OP_ALLOC, {1, OPTIONAL, 0, 0, OPTIONAL}, "size=, count=, pool= and nothrow"},
	{"calloc", LT_OP_ALLOC, {2, 1, 0, 0, OPTIONAL}, "count=, size=, pool= and nothrow"},
	{"realloc", LT_OP_REALLOC, {2, OPTIONAL, 1, 0, OPTIONAL}, "ptr=, size=, count=, pool= and nothrow"},
	{"alloc_at", LT_OP_ALLOC_PTR, {3, OPTIONAL, 0, 1, OPTIONAL}, "result=, size=, count=, pool= and nothrow"},
	{"free", LT_OP_FREE, {0, 0, 1, 0, 0}, "ptr= and nothrow"},
	{"reset", LT_OP_RESET, {0, 0, 0, 0, OPTIONAL}, "pool= and nothrow"},
};

/* As people count: characters, from 1. */
static unsigned int column(const struct spec *s, const char *at)
{
	unsigned int n = 1;
	const char *c;

	for (c = s->text; c < at; c++)
		n += (*c & 0xc0) != 0x80;
	return n;
}

int spec__fail(const struct spec *s, struct spec_word word, const char *fmt, ...)
{
	size_t n = word.n < SHOWN_BYTES ? word.n : SHOWN_BYTES;
	char text[512];
	va_list ap;

	while (n < word.n && n && (word.at[n] & 0xc0) == 0x80)
		n--;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err__set(s->e, -EINVAL, "%s: '%.*s%s' at character %u%s", s->where, (int)n, word.at,
			n < word.n ? "..." : "", column(s, word.at), text);
}

static bool is(struct spec_word word, const char *text)
{
	return word.n == strlen(text) && !memcmp(word.at, text, word.n);
}

static void skip_blanks(struct spec *s)
{
	s->at += strspn(s->at, BLANKS);
}

/* All up to one of these, or to the end. */
static struct spec_word take_until(struct spec *s, const char *ends)
{
	struct spec_word w = {s->at, strcspn(s->at, ends)};

	s->at += w.n;
	return w;
}

/* The character there, for sentences about it. */
static struct spec_word one_at(const char *at)
{
	size_t n = *at != '\0';

	while (n && (at[n] & 0xc0) == 0x80)
		n++;
	return (struct spec_word){at, n};
}

static int parse_name(struct spec *s)
{
	skip_blanks(s);
	s->name = (struct spec_word){s->at, strspn(s->at, NAME_BYTES)};
	s->at += s->name.n;
	if (!*s->at && !s->name.n)
		return err__set(s->e, -EINVAL,
				"%s: a spec is empty; give one like 'NAME: alloc=FN(size=1) free=FN(ptr=1)'", s->where);
	if (!s->name.n)
		return spec__fail(s, one_at(s->at),
				  ": a spec begins with a name of letters, digits and _ . + - and a colon");
	if (*s->at != ':')
		return spec__fail(s, s->name,
				  " is not followed by a colon; a spec begins with a name of letters, digits and "
				  "_ . + - and a colon");
	if (s->name.n > NAME_SIZE)
		return spec__fail(s, s->name, ": a name has at most %d characters", NAME_SIZE);
	s->at++;
	return 0;
}

static int parse_number(struct spec *s, uint8_t *number)
{
	struct spec_word w = take_until(s, ",()" BLANKS);
	size_t i, n = 0;

	for (i = 0; i < w.n && w.at[i] >= '0' && w.at[i] <= '9'; i++)
		n = n > MAX_ARG ? n : n * 10 + (size_t)(w.at[i] - '0');
	if (!w.n)
		return spec__fail(s, (struct spec_word){w.at - 1, 1},
				  " is not followed by a number; give that of an argument, from 1 to %d", MAX_ARG);
	if (i < w.n)
		return spec__fail(s, w, " is no number; give that of an argument, from 1 to %d", MAX_ARG);
	if (!n)
		return spec__fail(s, w, ": arguments are counted from 1");
	if (n > MAX_ARG)
		return spec__fail(s, w, ": only arguments 1 to %d are in registers and can be read", MAX_ARG);
	*number = (uint8_t)n;
	return 0;
}

/* One of those between the parentheses. */
static int parse_arg(struct spec *s, const struct kind *k, struct spec_fn *f)
{
	struct spec_word w = take_until(s, "=,()" BLANKS);
	int key = 0;

	if (is(w, "nothrow") && *s->at != '=') {
		f->nothrow = true;
		return 0;
	}
	while (key < SPEC_KEYS && !(k->args[key] && is(w, keys[key])))
		key++;
	if (key == SPEC_KEYS)
		return spec__fail(s, w.n ? w : one_at(w.at), " is nothing that %s has; it takes %s", k->word, k->takes);
	if (f->args[key])
		return spec__fail(s, w, " is given twice for one function; give it once");
	if (*s->at != '=')
		return spec__fail(s, w, " is not followed by '='; give an argument, as in %s=1", keys[key]);
	s->at++;
	return parse_number(s, &f->args[key]);
}

static int parse_args(struct spec *s, const struct kind *k, struct spec_fn *f)
{
	struct spec_word open = one_at(s->at);
	int err;

	s->at++;
	skip_blanks(s);
	if (*s->at == ')') {
		s->at++;
		return 0;
	}
	for (;;) {
		skip_blanks(s);
		if (!*s->at)
			break;
		err = parse_arg(s, k, f);
		if (err)
			return err;
		skip_blanks(s);
		if (!*s->at)
			break;
		if (*s->at != ',' && *s->at != ')')
			return spec__fail(s, one_at(s->at), ": a comma or ')' is missing before it");
		if (*s->at++ == ')')
			return 0;
	}
	return spec__fail(s, open, " is not closed by ')'");
}

/* What is not given is as with malloc(3) and its kin, and no argument is two things. */
static int complete_args(const struct spec *s, const struct kind *k, struct spec_fn *f)
{
	bool count_alone = f->op == LT_OP_REALLOC && f->args[SPEC_COUNT] && !f->args[SPEC_SIZE];
	int i, j;

	if (count_alone)
		return spec__fail(s, f->word, ": realloc with count= needs size=, too");
	for (i = 0; i < SPEC_KEYS; i++) {
		if (!f->args[i] && k->args[i] != OPTIONAL)
			f->args[i] = k->args[i];
	}
	for (i = 0; i < SPEC_KEYS; i++) {
		for (j = i + 1; j < SPEC_KEYS; j++) {
			if (f->args[i] && f->args[i] == f->args[j])
				return spec__fail(s, f->word, ": argument %d would be both %s= and %s=; give both",
						  f->args[i], keys[i], keys[j]);
		}
	}
	return 0;
}

static int check_duplicate(const struct spec *s, const struct spec_fn *f)
{
	const struct spec_fn *other;

	for (other = s->fns; other < f; other++) {
		if (other->name.n == f->name.n && !memcmp(other->name.at, f->name.at, f->name.n))
			return spec__fail(s, f->name, " is there twice, first at character %u; name it once",
					  column(s, other->name.at));
	}
	return 0;
}

/* From the function's name to the end of the word. */
static int parse_function(struct spec *s, const struct kind *k, struct spec_word word)
{
	struct spec_fn *f = &s->fns[s->n];
	int err;

	if (s->n == ALLOCATOR_FNS_MAX)
		return spec__fail(s, word, " is one function too many; a spec has at most %d", ALLOCATOR_FNS_MAX);
	f->op = k->op;
	f->name = take_until(s, "()" BLANKS);
	if (!f->name.n)
		return spec__fail(s, word, " is not followed by a function; give one, as in %s=FN", k->word);
	err = spec__take_name(s, f);
	if (!err && *s->at == '(')
		err = parse_args(s, k, f);
	if (err)
		return err;
	if (*s->at && !strchr(BLANKS, *s->at))
		return spec__fail(s, one_at(s->at), ": a blank is missing before it");
	f->word = (struct spec_word){word.at, (size_t)(s->at - word.at)};
	err = complete_args(s, k, f);
	if (!err)
		err = check_duplicate(s, f);
	s->n++;
	return err;
}

static int parse_word(struct spec *s)
{
	struct spec_word w = take_until(s, "=()" BLANKS);
	size_t i;

	if (is(w, "nothrow") && *s->at != '=' && *s->at != '(') {
		s->nothrow = true;
		return 0;
	}
	if (!w.n && *s->at == '(')
		return spec__fail(s, one_at(s->at), ": parentheses follow a function's name without a blank");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!is(w, kinds[i].word))
			continue;
		if (*s->at != '=')
			return spec__fail(s, w, " is not followed by '='; give a function, as in %s=FN", kinds[i].word);
		s->at++;
		w.n++;
		return parse_function(s, &kinds[i], w);
	}
	return spec__fail(s, w.n ? w : one_at(w.at),
			  " is not known; alloc, calloc, realloc, alloc_at, free, reset and nothrow are");
}

int spec__parse(struct spec *s)
{
	int err;

	if (strlen(s->text) > ALLOCATOR_SPEC_SIZE)
		return err__set(s->e, -EINVAL, "%s: a spec has %zu characters; at most %d can be", s->where,
				strlen(s->text), ALLOCATOR_SPEC_SIZE);
	s->at = s->text;
	err = parse_name(s);
	while (!err) {
		skip_blanks(s);
		if (!*s->at)
			return spec__check(s);
		err = parse_word(s);
	}
	return err;
}
