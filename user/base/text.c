/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Length of the well-formed, printable UTF-8 sequence at s, or 0 (RFC 3629 table 3-7: no overlong forms, surrogates).
 */
static size_t printable_len(const unsigned char *s)
{
	uint32_t cp;
	size_t len, i;

	if (s[0] >= 0x20 && s[0] < 0x7f)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		len = 2;
		cp = s[0] & 0x1f;
	} else if (s[0] >= 0xe0 && s[0] <= 0xef) {
		len = 3;
		cp = s[0] & 0x0f;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		len = 4;
		cp = s[0] & 0x07;
	} else {
		return 0;
	}
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if ((len == 3 && cp < 0x800) || (len == 4 && (cp < 0x10000 || cp > 0x10ffff)))
		return 0;
	/* Surrogates; C1 controls; line and bidi controls, which can reorder what a terminal shows. */
	if ((cp >= 0xd800 && cp <= 0xdfff) || cp < 0xa0 || (cp >= 0x200b && cp <= 0x200f) ||
	    (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff)
		return 0;
	return len;
}

char *text__safe(char *dst, size_t size, const char *src)
{
	const unsigned char *s = (const unsigned char *)src;
	size_t used = 0;

	if (!size)
		return dst;
	while (*s) {
		size_t len = printable_len(s);
		size_t need = len ? len : 4;

		if (used + need >= size)
			break;
		if (len)
			memcpy(dst + used, s, len);
		else
			snprintf(dst + used, 5, "\\x%02x", *s);
		used += need;
		s += len ? len : 1;
	}
	dst[used] = '\0';
	return dst;
}

char *text__safe_dup(const char *src)
{
	size_t size = strlen(src) * 4 + 1;
	char *dst = malloc(size);

	return dst ? text__safe(dst, size, src) : NULL;
}
