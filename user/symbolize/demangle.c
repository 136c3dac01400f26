/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "symbolize/demangle.h"

/* Names of the largest C++ templates end well below; libiberty itself gives up on C++ names above 1024 bytes. */
#define MAX_MANGLED 4096

struct out {
	char *dst;
	size_t size, used;
	jmp_buf full;
};

/*
 * Back references let 200 bytes of a hostile symbol stand for gigabytes, and libiberty's own buffer would grow until
 * xmalloc() ends the process. A callback cannot say "stop", but the demanglers keep what they need on the stack while
 * they print, so leaving by longjmp() is safe (a Rust identifier in punycode may leave a few bytes behind).
 */
static void append(const char *text, size_t len, void *opaque)
{
	struct out *out = opaque;
	size_t room = out->size - 1 - out->used;
	size_t n = len < room ? len : room;

	memcpy(out->dst + out->used, text, n);
	out->used += n;
	out->dst[out->used] = '\0';
	if (n < len)
		longjmp(out->full, 1);
}

typedef int (*demangler)(const char *mangled, int options, demangle_callbackref append, void *opaque);

static bool run(struct out *out, const char *mangled, demangler demangle_with)
{
	out->used = 0;
	if (setjmp(out->full)) {
		if (out->size > 4)
			memcpy(out->dst + out->size - 4, "...", 4);
		return true;
	}
	/* Without DMGL_VERBOSE the hash of a Rust name is left out. */
	return demangle_with(mangled, DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO, append, out) && out->used;
}

char *demangle(char *dst, size_t size, const char *mangled)
{
	struct out out = {.dst = dst, .size = size};
	bool rust_v0 = mangled[0] == '_' && mangled[1] == 'R';
	bool cxx = mangled[0] == '_' && mangled[1] == 'Z';

	if (size && (rust_v0 || cxx) && strnlen(mangled, MAX_MANGLED + 1) <= MAX_MANGLED) {
		/* Rust's old mangling is valid C++ mangling too, so Rust is asked first. */
		if (run(&out, mangled, rust_demangle_callback) ||
		    (cxx && run(&out, mangled, cplus_demangle_v3_callback)))
			return dst;
	}
	snprintf(dst, size, "%s", mangled);
	return dst;
}
