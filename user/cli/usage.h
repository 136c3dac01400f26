/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * usage: values on the command line, and what to say of wrong ones. What is wrong ends the program with status 2 and
 * one line on stderr that names the option (`what`), the value and what would be right.
 */
#pragma once

#include <stdint.h>

/* The words of fmt are made terminal-safe. */
void usage__error(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A time in nanoseconds, at least 10 ms. */
uint64_t usage__duration(const char *what, const char *text);

/* The time of -o in nanoseconds; needs a unit. */
uint64_t usage__age(const char *text);

/* Bytes. */
uint64_t usage__size(const char *what, const char *text);

/* A whole number in [min, max]. */
uint64_t usage__number(const char *what, const char *text, uint64_t min, uint64_t max);
