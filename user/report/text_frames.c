/* SPDX-License-Identifier: GPL-2.0-only */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "account/snapshot.h"
#include "base/text.h"
#include "report/frame.h"
#include "report/output.h"
#include "report/text_parts.h"
#include "select/module.h"

#define MAX_LINES 40
#define INDENT	  "     "

/* A column is as wide as its widest entry, but a longer one sticks out alone instead of pushing all others. */
#define MAX_FUNCTION_COLUMNS 48
#define MAX_PLACE_COLUMNS    32

/* Longer names say nothing more to a person; JSON has them whole. */
#define NAME_MAX_BYTES 512

struct line {
	char function[NAME_MAX_BYTES];
	char place[NAME_MAX_BYTES];
	char module[NAME_MAX_BYTES];
};

struct lines {
	struct line *at;
	unsigned int n;
	unsigned int more; /* that did not fit */
};

static void fill_place(struct line *line, const struct symbol *s)
{
	const char *slash = s->file ? strrchr(s->file, '/') : NULL;
	char file[NAME_MAX_BYTES - 16];

	if (!s->file)
		return;
	text__safe(file, sizeof(file), slash ? slash + 1 : s->file);
	if (s->line)
		snprintf(line->place, sizeof(line->place), "%s:%u", file, s->line);
	else
		snprintf(line->place, sizeof(line->place), "%s", file);
}

static void fill_line(struct line *line, const struct frame *f, const struct symbol *s)
{
	char name[NAME_MAX_BYTES - 32] = "";

	memset(line, 0, sizeof(*line));
	if (s->name) {
		text__safe(name, sizeof(name), s->name);
		snprintf(line->function, sizeof(line->function), "%s%s", name, s->inlined ? " (inlined)" : "");
		fill_place(line, s);
		text__safe(line->module, sizeof(line->module), f->module ? module__name(f->module) : "[jit]");
	} else if (f->module) {
		text__safe(name, sizeof(name), module__name(f->module));
		snprintf(line->function, sizeof(line->function), "%s+0x%" PRIx64, name, f->offset);
	} else {
		snprintf(line->function, sizeof(line->function), "0x%" PRIx64, f->pc);
	}
}

/* Names of what is not shown are not looked up: a frame counts as one line then. */
static void fill_lines(struct lines *lines, const struct report *r, const struct site *s)
{
	for (unsigned int i = 0; i < s->n_frames; i++) {
		struct symbols symbols;
		struct symbol room;

		if (lines->n == MAX_LINES) {
			lines->more += s->n_frames - i;
			return;
		}
		symbols = frame__symbols(r, &s->frames[i], &room);
		for (unsigned int j = 0; j < symbols.n; j++) {
			if (lines->n == MAX_LINES)
				lines->more++;
			else
				fill_line(&lines->at[lines->n++], &s->frames[i], &symbols.at[j]);
		}
	}
}

static size_t wider(size_t widest, const char *s, size_t max)
{
	size_t width = output__width(s);

	return width > widest && width <= max ? width : widest;
}

static void put_line(struct text *t, const struct line *line, size_t function_columns, size_t place_columns)
{
	fputs(INDENT, t->to);
	if (!*line->module) {
		fprintf(t->to, "%s\n", line->function);
		return;
	}
	text__put_padded(t, line->function, function_columns);
	fputs("  ", t->to);
	if (place_columns) {
		text__put_padded(t, line->place, place_columns);
		fputs("  ", t->to);
	}
	fprintf(t->to, "%s\n", line->module);
}

static void put_lines(struct text *t, const struct lines *lines)
{
	size_t function_columns = 0, place_columns = 0;

	for (unsigned int i = 0; i < lines->n; i++) {
		function_columns = wider(function_columns, lines->at[i].function, MAX_FUNCTION_COLUMNS);
		place_columns = wider(place_columns, lines->at[i].place, MAX_PLACE_COLUMNS);
	}
	for (unsigned int i = 0; i < lines->n; i++)
		put_line(t, &lines->at[i], function_columns, place_columns);
	if (lines->more)
		fprintf(t->to, INDENT "%s %u more frame%s\n", t->utf8 ? "…" : "...", lines->more, plural(lines->more));
}

/* Why the frames are not all that there is to say. */
static void put_gap(struct text *t, const struct site *s)
{
	if (s->overflow)
		fputs(INDENT "not one place: what did not fit into --max-sites\n", t->to);
	else if (s->frames_lost)
		fputs(INDENT "call stack lost on its way from the kernel: its record did not fit\n", t->to);
	else if (!s->n_frames && !s->truncated)
		fputs(INDENT "no call stack\n", t->to);
	if (s->truncated) {
		fputs(INDENT "call stack ends here: ", t->to);
		text__put_safe(t, s->truncated);
		fputc('\n', t->to);
	}
}

void text_frames__put(struct text *t, const struct site *s)
{
	struct lines lines = {.at = calloc(MAX_LINES, sizeof(*lines.at))};

	if (lines.at) {
		fill_lines(&lines, t->r, s);
		put_lines(t, &lines);
		free(lines.at);
	} else {
		fputs(INDENT "no memory to show the call stack\n", t->to);
	}
	put_gap(t, s);
}
