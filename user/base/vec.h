/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vec: a growable array of any type.
 *
 *	struct { VEC(struct site) sites; } x = {};
 *	struct site *s = vec__add(&x.sites);	// zeroed element, NULL when out of memory
 *	vec__each(&x.sites, s) ...
 *	vec__free(&x.sites);
 *
 * Pointers into a vec are valid only until the next vec__add().
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define VEC(type)                                                                                                      \
	struct {                                                                                                       \
		type *at;                                                                                              \
		size_t n, cap;                                                                                         \
	}

static inline void *vec__grow_(void **at, size_t *n, size_t *cap, size_t size)
{
	void *slot;

	if (*n == *cap) {
		size_t want = *cap ? *cap * 2 : 8;
		void *p = reallocarray(*at, want, size);

		if (!p)
			return NULL;
		*at = p;
		*cap = want;
	}
	slot = (char *)*at + *n * size;
	memset(slot, 0, size);
	++*n;
	return slot;
}

#define vec__add(v)	 ((typeof((v)->at))vec__grow_((void **)(void *)&(v)->at, &(v)->n, &(v)->cap, sizeof(*(v)->at)))
#define vec__each(v, it) for ((it) = (v)->at; (it) && (it) < (v)->at + (v)->n; (it)++)
#define vec__free(v)                                                                                                   \
	do {                                                                                                           \
		free((v)->at);                                                                                         \
		(v)->at = NULL;                                                                                        \
		(v)->n = (v)->cap = 0;                                                                                 \
	} while (0)
