/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>

#include "slots.h"

static struct slot *place(struct slot *at, uint64_t size, uint64_t address)
{
	uint64_t i = (address >> 3) * 0x9e3779b97f4a7c15ull >> 20;

	while (at[i & (size - 1)].address && at[i & (size - 1)].address != address)
		i++;
	return &at[i & (size - 1)];
}

static void grow(struct slots *s)
{
	uint64_t size = s->size ? s->size * 2 : 1024;
	struct slot *at = calloc(size, sizeof(*at));

	if (!at)
		abort();
	for (uint64_t i = 0; i < s->size; i++) {
		if (s->at[i].address)
			*place(at, size, s->at[i].address) = s->at[i];
	}
	free(s->at);
	s->at = at;
	s->size = size;
}

void slots__set(struct slots *s, uint64_t address, uint64_t value)
{
	struct slot *slot;

	if (2 * s->n >= s->size)
		grow(s);
	slot = place(s->at, s->size, address);
	if (!slot->address)
		s->n++;
	*slot = (struct slot){address, value};
}

uint64_t slots__get(const struct slots *s, uint64_t address)
{
	return s->size ? place(s->at, s->size, address)->value : 0;
}

void slots__free(struct slots *s)
{
	free(s->at);
	*s = (struct slots){0};
}
