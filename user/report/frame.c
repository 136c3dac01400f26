/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/frame.h"
#include "report/report.h"

static bool is_after_call(const struct frame *f)
{
	return f->module && f->is_return_address && f->offset;
}

struct symbols frame__symbols(const struct report *r, const struct frame *f, struct symbol *room)
{
	*room = (struct symbol){.name = f->jit_name, .offset = f->jit_offset};
	if (!f->module || !r->symbolizer)
		return (struct symbols){.at = room, .n = 1};
	return symbolizer__lookup(r->symbolizer, f->module, f->offset - is_after_call(f));
}

uint64_t frame__symbol_offset(const struct frame *f, const struct symbol *s)
{
	return s->inlined ? 0 : s->offset + is_after_call(f);
}
