/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/units.h"
#include "cli/options.h"
#include "cli/usage.h"

void usage__error(const char *fmt, ...)
{
	char raw[1024], safe[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	fprintf(stderr, "leaktrace: %s (leaktrace --help)\n", text__safe(safe, sizeof(safe), raw));
	exit(EXIT_USAGE);
}

static const char *why(int err)
{
	switch (err) {
	case -ERANGE:
		return "out of range";
	case -EDOM:
		return "it needs a unit, as in 500ms, 30s or 2m";
	default:
		return "not understood";
	}
}

uint64_t usage__duration(const char *what, const char *text)
{
	uint64_t ns = 0;
	int err = units__parse_duration(text, &ns);

	if (err)
		usage__error("%s '%s': %s; give a time like 500ms, 30, 2m or 1h", what, text, why(err));
	if (ns < 10000000)
		usage__error("%s '%s' is too short; the shortest is 10ms", what, text);
	return ns;
}

uint64_t usage__size(const char *what, const char *text)
{
	uint64_t bytes = 0;
	int err = units__parse_size(text, &bytes);

	if (err)
		usage__error("%s '%s': %s; give a size like 64, 4K or 1.5M", what, text, why(err));
	return bytes;
}

uint64_t usage__number(const char *what, const char *text, uint64_t min, uint64_t max)
{
	uint64_t n = 0;
	int err = units__parse_uint(text, min, max, &n);

	if (err)
		usage__error("%s '%s': %s; give a number from %llu to %llu", what, text, why(err),
			     (unsigned long long)min, (unsigned long long)max);
	return n;
}

uint64_t usage__age(const char *text)
{
	uint64_t ns = 0;
	int err = units__parse_duration_with_unit(text, &ns);

	if (err == -EDOM)
		usage__error("-o %s needs a unit, as in -o %sms (memleak counts in ms) or -o %ss", text, text, text);
	if (err)
		usage__error("-o '%s': %s; give an age like 500ms or 2m", text, why(err));
	return ns;
}
