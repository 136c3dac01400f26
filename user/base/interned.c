/* SPDX-License-Identifier: GPL-2.0-only */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/interned.h"

#define MAX_TEXT 4096

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

const char *interned__safe(struct interned *pool, const char *text)
{
	__cleanup_free char *cut = NULL;
	__cleanup_free char *safe = NULL;
	char **slot;

	if (!text || !text[0])
		return NULL;
	if (strnlen(text, MAX_TEXT + 1) > MAX_TEXT) {
		cut = strndup(text, MAX_TEXT);
		if (!cut)
			return NULL;
		text = cut;
	}
	safe = text__safe_dup(text);
	if (!safe)
		return NULL;
	slot = tsearch(safe, &pool->tree, compare);
	if (!slot)
		return NULL;
	if (*slot == safe)
		return steal_ptr(&safe);
	return *slot;
}

void interned__free(struct interned *pool)
{
	tdestroy(pool->tree, free);
	pool->tree = NULL;
}
