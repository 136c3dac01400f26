/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

struct unit {
	const char *name;
	double factor;
};

static const struct unit duration_units[] = {
	{"ns", 1},     {"us", 1e3},   {"ms", 1e6},    {"s", 1e9}, {"m", 60e9},
	{"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}, {NULL, 0},
};

static const struct unit size_units[] = {
	{"B", 1},
	{"K", 1024.0},
	{"KB", 1024.0},
	{"KiB", 1024.0},
	{"M", 1048576.0},
	{"MB", 1048576.0},
	{"MiB", 1048576.0},
	{"G", 1073741824.0},
	{"GB", 1073741824.0},
	{"GiB", 1073741824.0},
	{"T", 1099511627776.0},
	{"TB", 1099511627776.0},
	{"TiB", 1099511627776.0},
	{NULL, 0},
};

/* Decimal digits with an optional fraction, then an optional unit. strtod() alone would let "inf", "nan" and "0x" in.
 */
static int parse(const char *text, const struct unit *units, double bare, double max, uint64_t *out)
{
	const char *p = text;
	double value, factor = bare;
	char *end;

	if (*p == '-')
		return isdigit((unsigned char)p[1]) ? -ERANGE : -EINVAL;
	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	while (isdigit((unsigned char)*p) || *p == '.')
		p++;
	value = strtod(text, &end);
	if (end != p)
		return -EINVAL;
	if (*p) {
		for (; units->name && strcasecmp(units->name, p); units++)
			;
		if (!units->name)
			return -EINVAL;
		factor = units->factor;
	} else if (bare == 0) {
		return -EDOM;
	}
	value *= factor;
	if (!(value <= max))
		return -ERANGE;
	*out = (uint64_t)value;
	return 0;
}

/* 10 years: far beyond any trace, and small enough for sums in nanoseconds. */
#define MAX_DURATION_NS (10.0 * 365 * 86400e9)

int units__parse_duration(const char *text, uint64_t *ns)
{
	return parse(text, duration_units, 1e9, MAX_DURATION_NS, ns);
}

int units__parse_duration_with_unit(const char *text, uint64_t *ns)
{
	return parse(text, duration_units, 0, MAX_DURATION_NS, ns);
}

int units__parse_size(const char *text, uint64_t *bytes)
{
	return parse(text, size_units, 1, 9.0e18, bytes);
}

int units__parse_uint(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (*text == '-')
		return isdigit((unsigned char)text[1]) ? -ERANGE : -EINVAL;
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

char *units__format_bytes(char *buf, size_t size, double bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double v = fabs(bytes);
	unsigned int i = 0;

	/* 1023.96 KiB would print as 1024.0 KiB: go up where the rounded figure does. */
	while (i + 1 < sizeof(names) / sizeof(names[0]) && v >= (i ? 1023.95 : 1023.5)) {
		v /= 1024;
		i++;
	}
	snprintf(buf, size, i ? "%s%.1f %s" : "%s%.0f %s", bytes < 0 ? "-" : "", v, names[i]);
	return buf;
}

char *units__format_duration(char *buf, size_t size, double seconds)
{
	unsigned long s = (unsigned long)(seconds + 0.5);

	if (seconds < 0.9995)
		snprintf(buf, size, "%.0f ms", seconds * 1e3);
	else if (seconds < 9.95)
		snprintf(buf, size, "%.1f s", seconds);
	else if (s < 60)
		snprintf(buf, size, "%lu s", s);
	else if (s < 3600)
		snprintf(buf, size, s % 60 ? "%lu min %lu s" : "%lu min", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, size, s / 60 % 60 ? "%lu h %lu min" : "%lu h", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, s / 3600 % 24 ? "%lu d %lu h" : "%lu d", s / 86400, s / 3600 % 24);
	return buf;
}
