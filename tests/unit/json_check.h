/* SPDX-License-Identifier: GPL-2.0-only */
/* json_check: the JSON report of a fixture, parsed back, and checks of its members. */
#pragma once

#include "report_fixture.h"

#include <jansson.h>

static inline json_t *report_as(struct fixture *f, enum fixture_format format)
{
	char *text = fixture__render(f, format);
	size_t len = strlen(text);
	json_error_t error;
	json_t *doc;

	assert_true(len > 1);
	assert_int_equal(text[len - 1], '\n');
	assert_int_not_equal(text[len - 2], '\n');
	doc = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!doc)
		fail_msg("not JSON: %s in %s", error.text, text);
	free(text);
	return doc;
}

static inline json_t *report(struct fixture *f)
{
	return report_as(f, JSON_LINES);
}

/* The object has the keys named in the string, and no others. */
static inline void check_keys(json_t *object, const char *keys)
{
	char *copy = strdup(keys), *rest = NULL;
	size_t n = 0;

	assert_true(json_is_object(object));
	for (char *key = strtok_r(copy, " ", &rest); key; key = strtok_r(NULL, " ", &rest), n++)
		if (!json_object_get(object, key))
			fail_msg("no key \"%s\"", key);
	assert_int_equal(json_object_size(object), n);
	free(copy);
}

static inline json_t *at(json_t *doc, const char *list, size_t i)
{
	json_t *item = json_array_get(json_object_get(doc, list), i);

	assert_non_null(item);
	return item;
}

static inline void check_string(json_t *object, const char *key, const char *want)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_string(value))
		fail_msg("\"%s\" is not a string", key);
	assert_string_equal(json_string_value(value), want);
}

static inline void check_integer(json_t *object, const char *key, json_int_t want)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) != want)
		fail_msg("\"%s\" is not %lld", key, (long long)want);
}

static inline void check_real(json_t *object, const char *key, double want)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_real(value) || json_real_value(value) != want)
		fail_msg("\"%s\" is not %g but %g", key, want, json_real_value(value));
}

/* Every key in the string is null. */
static inline void check_nulls(json_t *object, const char *keys)
{
	char *copy = strdup(keys), *rest = NULL;

	for (char *key = strtok_r(copy, " ", &rest); key; key = strtok_r(NULL, " ", &rest))
		if (!json_is_null(json_object_get(object, key)))
			fail_msg("\"%s\" is not null", key);
	free(copy);
}

static inline void check_empty_list(json_t *object, const char *key)
{
	assert_true(json_is_array(json_object_get(object, key)));
	assert_int_equal(json_array_size(json_object_get(object, key)), 0);
}
