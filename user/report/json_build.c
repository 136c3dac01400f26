/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "report/json_build.h"
#include "report/output.h"

/* 15 digits: what a double holds for certain, so that 0.1 stays 0.1. */
#define REAL_DIGITS 15

struct jobject jobject__new(void)
{
	return (struct jobject){.json = json_object()};
}

struct jobject jlist__new(void)
{
	return (struct jobject){.json = json_array()};
}

void jobject__set(struct jobject *o, const char *key, json_t *value)
{
	if (json_object_set_new(o->json, key, value))
		o->failed = true;
}

void jlist__add(struct jobject *o, json_t *value)
{
	if (json_array_append_new(o->json, value))
		o->failed = true;
}

json_t *jobject__done(struct jobject *o)
{
	if (!o->failed)
		return o->json;
	json_decref(o->json);
	return NULL;
}

json_t *jvalue__u64(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

json_t *jvalue__known(int64_t v)
{
	return v < 0 ? json_null() : json_integer(v);
}

json_t *jvalue__real(double v)
{
	if (!isfinite(v))
		return json_null();
	if (fabs(v) < 1e9)
		v = round(v * 1e6) / 1e6 + 0.0; /* + 0.0 makes a positive zero of -0.0 */
	return json_real(v);
}

json_t *jvalue__text(const char *text)
{
	__cleanup_free char *safe = NULL;

	if (!text)
		return json_null();
	safe = text__safe_dup(text);
	return safe ? json_string(safe) : NULL;
}

json_t *jvalue__hex(uint64_t v, unsigned int digits, const char *prefix)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%s%0*" PRIx64, prefix, digits, v);
	return json_string(buf);
}

/* The last millisecond of the year 9999, where RFC 3339 ends. */
#define MAX_DATE_S 253402300799.999

json_t *jvalue__date(double epoch_s)
{
	char day[32], buf[48];
	long long ms;
	struct tm tm;
	time_t t;

	if (!(epoch_s >= 0 && epoch_s <= MAX_DATE_S))
		return json_null();
	ms = llround(epoch_s * 1e3);
	t = ms / 1000;
	if (!gmtime_r(&t, &tm))
		return json_null();
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, sizeof(buf), "%s.%03dZ", day, (int)(ms % 1000));
	return json_string(buf);
}

/* The document and its newline as text; NULL when out of memory. Caller frees. */
static char *dump(json_t *doc, bool compact, size_t *len)
{
	char *text = json_dumps(doc, (compact ? JSON_COMPACT : JSON_INDENT(2)) | JSON_REAL_PRECISION(REAL_DIGITS));
	char *line;

	if (!text)
		return NULL;
	*len = strlen(text);
	line = realloc(text, *len + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + *len, "\n", 2);
	*len += 1;
	return line;
}

int jdocument__write(FILE *out, json_t *doc, bool compact)
{
	__cleanup_free char *text = NULL;
	size_t len = 0;

	if (!doc)
		return -ENOMEM;
	text = dump(doc, compact, &len);
	json_decref(doc);
	return text ? output__write(out, text, len) : -ENOMEM;
}
