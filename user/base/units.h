/* SPDX-License-Identifier: GPL-2.0-only */
/* units: sizes and durations, read from the command line and printed for people. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* "500ms" "5" "5s" "2m" "1h" → nanoseconds. Bare numbers are seconds; fractions are allowed.
 * -EINVAL not a number or unknown unit, -ERANGE negative or too large. */
int units__parse_duration(const char *text, uint64_t *ns);

/* As above, but a bare number is refused with -EDOM (for options whose unit differs between tools). */
int units__parse_duration_with_unit(const char *text, uint64_t *ns);

/* "4096" "64K" "1.5M" "2G" → bytes (powers of 1024; a trailing B or iB is allowed). Errors as above. */
int units__parse_size(const char *text, uint64_t *bytes);

/* A whole decimal number in [min, max]. -EINVAL, -ERANGE. */
int units__parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* "66.1 MiB", "512 B"; negative numbers keep their sign. Returns buf. */
char *units__format_bytes(char *buf, size_t size, double bytes);

/* "58 s", "1 min 25 s", "3 h 4 min", "250 ms". Returns buf. */
char *units__format_duration(char *buf, size_t size, double seconds);
