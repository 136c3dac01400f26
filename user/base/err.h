/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * err: one sentence for the person who reads it, next to the negative errno for the code that handles it.
 *
 * A function that can fail in a way worth explaining takes a struct err * as its first argument, and returns
 * err__set(e, -EXXX, "what happened; what to do next").
 */
#pragma once

struct err {
	char text[1024];
};

/* Store the sentence (terminal-safe: control bytes are escaped) and return code, a negative errno. */
int err__set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
