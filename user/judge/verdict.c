/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "judge/series.h"
#include "judge/verdict.h"

const char *leak_class__name(enum leak_class c)
{
	switch (c) {
	case CLASS_RECURRING:
		return "recurring";
	case CLASS_SPORADIC:
		return "sporadic";
	case CLASS_ONE_TIME:
		return "one-time";
	case CLASS_IMPLICIT:
		return "implicit";
	case CLASS_NONE:
		return "none";
	case CLASS_UNKNOWN:
		break;
	}
	return "unknown";
}

static void say_reason(struct verdict *v, const struct site *s)
{
	unsigned int steps = series__steps(s);

	if (v->rising)
		snprintf(v->reason, sizeof(v->reason), "floor rose %u of %u windows, never fell", s->rises, steps);
	else if (series__is_too_short(s))
		snprintf(v->reason, sizeof(v->reason), "too early: %u of at least %u windows seen", s->windows,
			 SERIES_MIN_WINDOWS);
	else if (!s->rises && !s->falls)
		snprintf(v->reason, sizeof(v->reason), "floor did not move in %u windows", steps);
	else
		snprintf(v->reason, sizeof(v->reason), "floor rose %u and fell %u of %u windows", s->rises, s->falls,
			 steps);
}

static void judge_site(struct verdict *v, const struct site *s)
{
	v->class = CLASS_UNKNOWN;
	v->growing = -1;
	v->confidence = NAN;
	v->rising = s->rises >= VERDICT_MIN_RISES && !s->falls;
	say_reason(v, s);
}

/* Descending; unknown after every number. */
static int compare_growth(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return (a < b) - (a > b);
}

struct ranking {
	const struct site *sites;
	const struct verdict *verdicts;
};

static int compare_rank(const void *pa, const void *pb, void *arg)
{
	const struct ranking *r = arg;
	unsigned int ia = *(const unsigned int *)pa, ib = *(const unsigned int *)pb;
	const struct site *a = &r->sites[ia], *b = &r->sites[ib];
	int d;

	/* Whatever its past, a site that holds nothing now cannot be what fills the memory. */
	d = (a->live_bytes <= 0) - (b->live_bytes <= 0);
	if (!d)
		d = r->verdicts[ib].rising - r->verdicts[ia].rising;
	if (!d)
		d = compare_growth(a->growth_bytes_per_s, b->growth_bytes_per_s);
	if (!d)
		d = (a->live_bytes < b->live_bytes) - (a->live_bytes > b->live_bytes);
	if (!d)
		d = (a->id > b->id) - (a->id < b->id);
	return d ? d : (ia > ib) - (ia < ib);
}

int judge__snapshot(const struct snapshot *snap, struct judgement *out)
{
	struct ranking ranking = {.sites = snap->sites};

	*out = (struct judgement){};
	if (!snap->n_sites)
		return 0;
	out->sites = calloc(snap->n_sites, sizeof(*out->sites));
	out->order = calloc(snap->n_sites, sizeof(*out->order));
	if (!out->sites || !out->order) {
		judgement__free(out);
		return -ENOMEM;
	}
	out->n = snap->n_sites;
	for (unsigned int i = 0; i < out->n; i++) {
		judge_site(&out->sites[i], &snap->sites[i]);
		out->order[i] = i;
	}
	ranking.verdicts = out->sites;
	qsort_r(out->order, out->n, sizeof(*out->order), compare_rank, &ranking);
	for (unsigned int i = 0; i < out->n; i++)
		out->sites[out->order[i]].rank = i + 1;
	return 0;
}

void judgement__free(struct judgement *j)
{
	free(j->sites);
	free(j->order);
	*j = (struct judgement){};
}
