/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * text: strings that came from a target (comm, symbol, path) made safe to show.
 *
 * A hostile process may name itself or a symbol with terminal escapes or broken UTF-8. text__safe() lets through
 * printable UTF-8 only; each byte of anything else becomes \xNN. The result is valid UTF-8, so it is safe for JSON too.
 */
#pragma once

#include <stddef.h>

/* Escape src (NUL-terminated) into dst[size], always NUL-terminated, cut at a character when too long. Returns dst. */
char *text__safe(char *dst, size_t size, const char *src);

/* The same into memory the caller frees; NULL when out of memory. */
char *text__safe_dup(const char *src);
