/* SPDX-License-Identifier: GPL-2.0-only */
#include <math.h>

#include "account/losses.h"
#include "account/snapshot.h"
#include "report/text_parts.h"

static void put_who(struct text *t)
{
	const struct snapshot *snap = t->r->snap;

	if (snap->n_processes == 1)
		text__put_process(t, &snap->processes[0]);
	else
		fprintf(t->to, "%u processes", snap->n_processes);
}

static void put_time(struct text *t)
{
	const struct snapshot *snap = t->r->snap;
	char duration[FIGURE_MAX], interval[FIGURE_MAX];

	fprintf(t->to, GAP "%s, %u window%s of %s", figure__seconds(duration, snap->duration_s), snap->windows,
		plural(snap->windows), figure__seconds(interval, snap->interval_s));
	/* Half a second is what starting and stopping may take. */
	if (snap->duration_s - snap->observed_s > 0.5)
		fprintf(t->to, ", observed %s of it", figure__seconds(duration, snap->observed_s));
}

static void put_cost(struct text *t)
{
	const struct overhead *v = &t->r->snap->overhead;
	char hits[FIGURE_MAX], cpu[FIGURE_MAX];

	fputs(GAP, t->to);
	if (isfinite(v->percent_of_one_cpu))
		fprintf(t->to, "probes cost %.1f %% of one CPU", v->percent_of_one_cpu);
	else
		fprintf(t->to, "probe hits %s", figure__count(hits, v->probe_hits));
	if (isfinite(v->tool_cpu_s))
		fprintf(t->to, ", tool CPU %s", figure__seconds(cpu, v->tool_cpu_s));
}

static void put_lost(struct text *t)
{
	const struct losses *l = &t->r->snap->losses;

	if (losses__change_answer(l))
		fputs(GAP "LOST, see below", t->to);
	else if (losses__any(l))
		fputs(GAP "some detail lost, see below", t->to);
	else if (!t->o->quiet)
		fputs(GAP "nothing lost", t->to);
}

void text_header__put(struct text *t)
{
	const struct snapshot *snap = t->r->snap;
	char age[FIGURE_MAX];

	put_who(t);
	put_time(t);
	fputs(GAP "exact", t->to);
	put_lost(t);
	put_cost(t);
	fputc('\n', t->to);
	if (snap->final && snap->end_reason) {
		fputs("ended: ", t->to);
		text__put_safe(t, snap->end_reason);
		fputc('\n', t->to);
	}
	if (t->o->min_age_s > 0)
		fprintf(t->to, "only blocks older than %s\n", figure__seconds(age, t->o->min_age_s));
}
