/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"

int err__set(struct err *e, int code, const char *fmt, ...)
{
	char raw[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	text__safe(e->text, sizeof(e->text), raw);
	return code;
}
