/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"

static enum log_level max_level = LOG_NOTE;

void log__set_level(enum log_level level)
{
	max_level = level;
}

enum log_level log__level(void)
{
	return max_level;
}

void log__at(enum log_level level, const char *fmt, ...)
{
	char raw[2048], safe[4096];
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	fprintf(stderr, "leaktrace: %s%s\n", level == LOG_WARN ? "warning: " : "", text__safe(safe, sizeof(safe), raw));
}
