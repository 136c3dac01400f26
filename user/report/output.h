/* SPDX-License-Identifier: GPL-2.0-only */
/* output: finished text to a stream. Private to report. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Write and flush; 0 or the negative errno of the stream. */
int output__write(FILE *out, const char *text, size_t len);

/* Columns that the UTF-8 text takes on a terminal. */
size_t output__width(const char *text);

/*
 * As output__write(), for text made of lines: each is cut to `columns` (0: not) at a character. When the locale is not
 * UTF-8, bytes of other characters are escaped: to an 8-bit terminal some of them are control codes.
 */
int output__write_lines(FILE *out, const char *text, size_t len, unsigned int columns);

/* Whether the locale's encoding is UTF-8. */
bool output__is_utf8(void);
