/* SPDX-License-Identifier: GPL-2.0-only */
#include <inttypes.h>
#include <math.h>

#include "account/snapshot.h"
#include "judge/series.h"
#include "judge/verdict.h"
#include "report/text_parts.h"

#define SPARK_FLOORS	16
#define BLOCKS_PER_SITE 10
#define DEFAULT_TOP	10
#define INDENT		"     "

/* What the floors did, in a word that promises no verdict. */
static const char *movement(const struct site *s, const struct verdict *v)
{
	if (v->rising)
		return "rising";
	if (series__is_too_short(s))
		return "too early";
	return s->rises || s->falls ? "moving" : "flat";
}

/* The last floors, each between the lowest and the highest of them. */
static void put_sparkline(struct text *t, const struct site *s)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char *const ascii[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
	unsigned int first = s->n_floors > SPARK_FLOORS ? s->n_floors - SPARK_FLOORS : 0;
	uint64_t low = UINT64_MAX, high = 0;

	if (!s->n_floors)
		return;
	for (unsigned int i = first; i < s->n_floors; i++) {
		low = s->floors[i] < low ? s->floors[i] : low;
		high = s->floors[i] > high ? s->floors[i] : high;
	}
	fputs(GAP, t->to);
	for (unsigned int i = first; i < s->n_floors; i++) {
		double share = high > low ? (double)(s->floors[i] - low) / (double)(high - low) : 0;

		fputs((t->utf8 ? blocks : ascii)[(unsigned int)(share * 7 + 0.5)], t->to);
	}
}

static const char *kind_note(enum site_kind kind)
{
	switch (kind) {
	case SITE_MMAP:
		return GAP "mappings";
	case SITE_BRK:
		return GAP "brk";
	case SITE_MANAGED:
		return GAP "managed";
	case SITE_HEAP:
		break;
	}
	return "";
}

static void put_headline(struct text *t, const struct site *s, const struct verdict *v, struct amount amount)
{
	char rate[FIGURE_MAX], blocks[FIGURE_MAX], age[FIGURE_MAX];
	unsigned int steps = series__steps(s);

	fprintf(t->to, "\n#%u %s" GAP "%s" GAP "%s", v->rank, movement(s, v), figure__rate(rate, s->growth_bytes_per_s),
		figure__blocks(blocks, amount));
	if (isfinite(s->oldest_age_s))
		fprintf(t->to, GAP "oldest %s", figure__seconds(age, s->oldest_age_s));
	if (steps)
		fprintf(t->to, GAP "rose %u of %u", s->rises, steps);
	if (s->falls)
		fprintf(t->to, ", fell %u", s->falls);
	put_sparkline(t, s);
	fputs(kind_note(s->kind), t->to);
	if (t->r->snap->n_processes > 1) {
		fputs(GAP, t->to);
		text__put_process(t, &t->r->snap->processes[s->process]);
	}
	fputc('\n', t->to);
}

static void put_failed(struct text *t, const struct site *s)
{
	uint64_t last = s->failed_last_size;
	char size[FIGURE_MAX];

	if (s->failed_allocs)
		fprintf(t->to, INDENT "FAILED: %" PRIu64 " allocation%s returned NULL, the last asked for %s\n",
			s->failed_allocs, plural(s->failed_allocs),
			figure__bytes(size, last > INT64_MAX ? INT64_MAX : (int64_t)last));
}

static void put_blocks(struct text *t, const struct site *s)
{
	uint64_t n, shown = 0, more = 0;
	const struct block **at = block_index__of(&t->blocks, s->id, &n);
	char size[FIGURE_MAX], age[FIGURE_MAX];

	for (uint64_t i = 0; i < n; i++) {
		const struct block *b = at[i];

		if (!pick__counts_block(s, b, t->o->min_age_s))
			continue;
		if (shown == BLOCKS_PER_SITE) {
			more++;
			continue;
		}
		fprintf(t->to, INDENT "block 0x%" PRIx64 GAP "%s" GAP "at most %s old\n", b->address,
			figure__bytes(size, b->size > INT64_MAX ? INT64_MAX : (int64_t)b->size),
			figure__seconds(age, b->age_s));
		shown++;
	}
	if (more)
		fprintf(t->to, INDENT "%s and %" PRIu64 " more block%s\n", t->utf8 ? "…" : "...", more, plural(more));
}

/* Whether -q leaves the site out: only what is known not to grow, and did not fail. */
static bool is_dull(const struct site *s, const struct verdict *v)
{
	return s->growth_bytes_per_s <= 0 && !v->rising && v->growing != 1 && !s->failed_allocs;
}

static unsigned int most_sites(const struct text *t)
{
	return t->o->top ? t->o->top : DEFAULT_TOP;
}

/* A failed call is worth a place in the list even if nothing of its site is live. */
static bool is_listed(const struct text *t, const struct site *s, const struct verdict *v, struct amount amount)
{
	if (t->listed >= most_sites(t) || (t->o->quiet && is_dull(s, v)))
		return false;
	return !amount__is_none(amount) || (s->failed_allocs && !(t->o->min_age_s > 0));
}

void text_site__put_all(struct text *t)
{
	const struct judgement *j = t->r->judgement;

	for (unsigned int i = 0; i < j->n; i++) {
		const struct site *s = &t->r->snap->sites[j->order[i]];
		const struct verdict *v = &j->sites[j->order[i]];
		struct amount amount = pick__amount(s, t->o->min_age_s);

		if (!is_listed(t, s, v, amount)) {
			t->hidden.sites++;
			t->hidden.live.bytes += amount.bytes;
			t->hidden.live.blocks += amount.blocks;
			continue;
		}
		t->listed++;
		put_headline(t, s, v, amount);
		put_failed(t, s);
		text_frames__put(t, s);
		put_blocks(t, s);
	}
}
