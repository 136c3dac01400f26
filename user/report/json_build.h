/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * json_build: JSON values with one check for each object instead of one for each member. Private to report.
 *
 * A maker that runs out of memory returns NULL; setting NULL marks the object as failed, and jobject__done() then
 * returns NULL itself, so that a failure anywhere ends up as a NULL document.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct jobject {
	json_t *json;
	bool failed;
};

struct jobject jobject__new(void);
void jobject__set(struct jobject *o, const char *key, json_t *value);
json_t *jobject__done(struct jobject *o);

/* The same for an array: start with jlist__new(), use jobject__done(). */
struct jobject jlist__new(void);
void jlist__add(struct jobject *o, json_t *value);

/* Write a document, which is freed, and a newline, and flush; NULL is -ENOMEM. Or the stream's negative errno. */
int jdocument__write(FILE *out, json_t *doc, bool compact);

json_t *jvalue__u64(uint64_t v);	/* beyond JSON's signed 64 bits: the largest of them */
json_t *jvalue__known(int64_t v);	/* negative: null */
json_t *jvalue__real(double v);		/* rounded to 6 decimals; NAN and infinities: null */
json_t *jvalue__text(const char *text); /* made safe to show; NULL: null */
json_t *jvalue__hex(uint64_t v, unsigned int digits, const char *prefix); /* at least so many digits */
json_t *jvalue__date(double epoch_s); /* RFC 3339, UTC, milliseconds; null when it cannot be a date */
