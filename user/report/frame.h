/* SPDX-License-Identifier: GPL-2.0-only */
/* frame: a frame of a snapshot with its names. Private to report. */
#pragma once

#include "account/snapshot.h"
#include "symbolize/symbolizer.h"

struct report;

/*
 * The lines of f, innermost first: never empty, without names where nothing is known. *room may become one of them, so
 * it has to live as long as they are used.
 */
struct symbols frame__symbols(const struct report *r, const struct frame *f, struct symbol *room);

/* Where f's pc is inside the function s (one of its lines): the pc as found, not the call before it. */
uint64_t frame__symbol_offset(const struct frame *f, const struct symbol *s);
