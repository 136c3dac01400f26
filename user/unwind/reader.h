/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reader: bytes of a hostile file taken one value after the other. Who reads past the end gets zeros and has `failed`
 * set, so that a caller may read all that it needs and ask once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static inline struct reader reader__of(const uint8_t *bytes, size_t n)
{
	return (struct reader){.at = bytes, .end = bytes + n};
}

static inline size_t reader__left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* The next n bytes, which are then behind; NULL when there are fewer. */
static inline const uint8_t *reader__take(struct reader *r, uint64_t n)
{
	const uint8_t *p = r->at;

	if (n > reader__left(r)) {
		r->failed = true;
		r->at = r->end;
		return NULL;
	}
	r->at += n;
	return p;
}

/* The next n bytes as a reader of their own, which has failed at once when there are fewer. */
static inline struct reader reader__part(struct reader *r, uint64_t n)
{
	const uint8_t *p = reader__take(r, n);

	return (struct reader){.at = p ? p : r->end, .end = r->at, .failed = !p};
}

/* The next string, of at most `max` characters before its NUL, or NULL. */
static inline const char *reader__string(struct reader *r, size_t max)
{
	const char *p = (const char *)r->at;
	size_t len = strnlen(p, reader__left(r));

	return len <= max && reader__take(r, len + 1) ? p : NULL;
}

#define READER_FIXED(name, type)                                                                                       \
	static inline type reader__##name(struct reader *r)                                                            \
	{                                                                                                              \
		const uint8_t *p = reader__take(r, sizeof(type));                                                      \
		type value = 0;                                                                                        \
                                                                                                                       \
		if (p)                                                                                                 \
			memcpy(&value, p, sizeof(value));                                                              \
		return value;                                                                                          \
	}

READER_FIXED(u8, uint8_t)
READER_FIXED(u16, uint16_t)
READER_FIXED(u32, uint32_t)
READER_FIXED(u64, uint64_t)
#undef READER_FIXED

/* LEB128; bits beyond the 64th are dropped. */
static inline uint64_t reader__leb_(struct reader *r, bool is_signed)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		if (r->at == r->end) {
			r->failed = true;
			return 0;
		}
		byte = *r->at++;
		if (shift < 64) {
			value |= (uint64_t)(byte & 0x7f) << shift;
			shift += 7;
		}
	} while (byte & 0x80);
	if (is_signed && (byte & 0x40) && shift < 64)
		value |= ~UINT64_C(0) << shift;
	return value;
}

static inline uint64_t reader__uleb(struct reader *r)
{
	return reader__leb_(r, false);
}

static inline int64_t reader__sleb(struct reader *r)
{
	return (int64_t)reader__leb_(r, true);
}
