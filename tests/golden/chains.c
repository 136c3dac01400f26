/* SPDX-License-Identifier: GPL-2.0-only */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "chains.h"

static uint64_t hash_of(const struct chain *c)
{
	uint64_t h = (uint64_t)c->function << 2 | c->end;

	for (unsigned int i = 0; i < c->n; i++) {
		h = (h ^ c->words[i].pc ^ (uint64_t)c->words[i].path << 48) * 0x9ddfea08eb382d69ull;
		h ^= h >> 32;
	}
	return h;
}

static int same(const struct chain *a, const struct chain *b)
{
	return a->hash == b->hash && a->function == b->function && a->end == b->end && a->n == b->n &&
	       !memcmp(a->words, b->words, a->n * sizeof(*a->words));
}

static struct chain **place(struct chain **table, uint64_t size, const struct chain *c)
{
	uint64_t i = c->hash;

	while (table[i & (size - 1)] && !same(table[i & (size - 1)], c))
		i++;
	return &table[i & (size - 1)];
}

static void grow(struct chains *s)
{
	uint64_t size = s->size ? s->size * 2 : 1024;
	struct chain **table = calloc(size, sizeof(*table));

	if (!table)
		abort();
	for (uint64_t i = 0; i < s->size; i++) {
		if (s->table[i])
			*place(table, size, s->table[i]) = s->table[i];
	}
	free(s->table);
	s->table = table;
	s->size = size;
}

void chains__add(struct chains *s, const struct chain *c)
{
	struct chain key = *c, **at;

	if (2 * s->n >= s->size)
		grow(s);
	key.hash = hash_of(c);
	at = place(s->table, s->size, &key);
	if (!*at) {
		*at = malloc(sizeof(**at));
		key.words = malloc((c->n + 1) * sizeof(*c->words));
		if (!*at || !key.words)
			abort();
		memcpy(key.words, c->words, c->n * sizeof(*c->words));
		key.count = 0;
		**at = key;
		s->n++;
	}
	(*at)->count++;
}

void chains__write(const struct chains *s, const struct maps *maps, char *const *functions, FILE *file)
{
	static const char *const ends[] = {[CHAIN_WHOLE] = "whole", [CHAIN_CUT] = "cut", [CHAIN_FAILED] = "failed"};

	for (size_t i = 0; i < maps->paths.n; i++)
		fprintf(file, "path %zu %s\n", i, maps->paths.at[i]);
	for (uint64_t i = 0; i < s->size; i++) {
		const struct chain *c = s->table[i];

		if (!c)
			continue;
		fprintf(file, "%s %" PRIu64 " %s", functions[c->function], c->count, ends[c->end]);
		for (unsigned int k = 0; k < c->n; k++)
			fprintf(file, " %" PRIx64 "@%" PRId64 "@%" PRIx64, c->words[k].pc, c->words[k].path,
				c->words[k].offset);
		fputc('\n', file);
	}
}

void chains__free(struct chains *s)
{
	for (uint64_t i = 0; i < s->size; i++) {
		if (s->table[i])
			free(s->table[i]->words);
		free(s->table[i]);
	}
	free(s->table);
	*s = (struct chains){0};
}
