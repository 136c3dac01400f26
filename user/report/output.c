/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "report/output.h"

bool output__is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

int output__write(FILE *out, const char *text, size_t len)
{
	errno = 0;
	if (fwrite(text, 1, len, out) != len || fflush(out) || ferror(out))
		return errno ? -errno : -EIO;
	return 0;
}

/* Length in bytes of the character at s; its columns in *width. Unknown ones count as one byte, one column. */
static size_t next_char(const char *s, size_t left, unsigned int *width)
{
	mbstate_t state = {};
	wchar_t wc;
	size_t len = mbrtowc(&wc, s, left, &state);
	int w;

	*width = 1;
	if (!len || len > left)
		return 1;
	w = wcwidth(wc);
	if (w >= 0)
		*width = w;
	return len;
}

size_t output__width(const char *text)
{
	size_t left = strlen(text), width = 0;
	unsigned int w;

	while (left) {
		size_t len = next_char(text, left, &w);

		width += w;
		text += len;
		left -= len;
	}
	return width;
}

/* How much of a line fits into `columns` when the mark of a cut has to fit too; all of it if it fits as it is. */
static size_t fitting(const char *line, size_t len, unsigned int columns, unsigned int mark)
{
	size_t at = 0, used = 0, cut = 0;
	unsigned int w;

	while (at < len) {
		size_t n = next_char(line + at, len - at, &w);

		if (used + w > columns)
			return cut;
		used += w;
		at += n;
		if (used + mark <= columns)
			cut = at;
	}
	return len;
}

/* Every byte that is not ASCII as \xNN. */
static void put_ascii(FILE *to, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(to, (unsigned char)text[i] < 0x80 ? "%c" : "\\x%02x", (unsigned char)text[i]);
}

static void put_line(FILE *to, const char *line, size_t len, unsigned int columns, bool utf8)
{
	const char *mark = utf8 ? "…" : "...";
	size_t fits = columns ? fitting(line, len, columns, utf8 ? 1 : 3) : len;

	fwrite(line, 1, fits, to);
	fprintf(to, "%s\n", fits < len ? mark : "");
}

/* The text in characters that the terminal has. Caller frees; NULL when out of memory. */
static char *to_locale(const char *text, size_t len, bool utf8, size_t *out_len)
{
	char *buf = NULL;
	FILE *to = open_memstream(&buf, out_len);

	if (!to)
		return NULL;
	if (utf8)
		fwrite(text, 1, len, to);
	else
		put_ascii(to, text, len);
	if (fclose(to)) {
		free(buf);
		return NULL;
	}
	return buf;
}

int output__write_lines(FILE *out, const char *text, size_t len, unsigned int columns)
{
	bool utf8 = output__is_utf8();
	__cleanup_free char *whole = to_locale(text, len, utf8, &len), *cut = NULL;
	size_t cut_len;
	FILE *to;

	if (!whole)
		return -ENOMEM;
	to = open_memstream(&cut, &cut_len);
	if (!to)
		return -ENOMEM;
	for (const char *p = whole, *end = whole + len; p < end;) {
		const char *nl = memchr(p, '\n', end - p);
		size_t line_len = (nl ? nl : end) - p;

		put_line(to, p, line_len, columns, utf8);
		p += line_len + 1;
	}
	if (fclose(to))
		return -ENOMEM;
	return output__write(out, cut, cut_len);
}
