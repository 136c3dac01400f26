/* SPDX-License-Identifier: GPL-2.0-only */
#include <math.h>
#include <string.h>

#include "account/snapshot.h"
#include "judge/series.h"
#include "report/text_parts.h"
#include "select/module.h"

static void put_hidden(struct text *t)
{
	char blocks[FIGURE_MAX];

	if (!t->listed && !t->hidden.sites)
		fputs("no allocation seen since the attach\n", t->to);
	else if (t->hidden.sites)
		fprintf(t->to, "not shown: %u site%s, %s\n", t->hidden.sites, plural(t->hidden.sites),
			figure__blocks(blocks, t->hidden.live));
}

static bool all_ended(const struct snapshot *snap)
{
	for (unsigned int i = 0; i < snap->n_processes; i++)
		if (snap->processes[i].end == PROCESS_RUNS)
			return false;
	return true;
}

static void put_wait(struct text *t)
{
	const struct snapshot *snap = t->r->snap;
	char wait[FIGURE_MAX];

	if (snap->windows >= SERIES_MIN_WINDOWS)
		return;
	if (snap->final && all_ended(snap)) {
		fprintf(t->to,
			"too short to compare floors: it ended after %u of at least %u windows; a short INTERVAL, as "
			"in 100ms, helps\n",
			snap->windows, SERIES_MIN_WINDOWS);
		return;
	}
	fprintf(t->to, "too early: floors can be compared from the %uth window on, ", SERIES_MIN_WINDOWS);
	if (snap->final)
		fprintf(t->to, "trace for at least %s\n", figure__seconds(wait, SERIES_MIN_WINDOWS * snap->interval_s));
	else
		fprintf(t->to, "in about %s\n",
			figure__seconds(wait, (SERIES_MIN_WINDOWS - snap->windows) * snap->interval_s));
}

static void put_stacks(struct text *t)
{
	const struct snapshot *snap = t->r->snap;
	bool by_frame_pointers = snap->stack_method && !strcmp(snap->stack_method, "frame pointers");
	unsigned int whole = 0, cut = 0, lost = 0, guessed = 0;

	for (unsigned int i = 0; i < snap->n_sites; i++) {
		const struct site *s = &snap->sites[i];

		if (s->overflow)
			continue;
		if (s->frames_lost)
			lost++;
		else if (s->truncated)
			cut++;
		else
			whole++;
		guessed += s->guessed;
	}
	fputs("stacks: ", t->to);
	text__put_safe(t, snap->stack_method);
	if (by_frame_pointers)
		fputs(" ONLY (code built without them shows wrong or short stacks)", t->to);
	fprintf(t->to, ": %u whole, %u truncated, %u lost", whole, cut, lost);
	if (guessed && !by_frame_pointers)
		fprintf(t->to, "; %u through code without unwind information, by its frame pointers", guessed);
	fputc('\n', t->to);
}

/* Of all families in a file. */
static unsigned int functions_in(const struct process *p, const struct module *m)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < p->n_hooked; i++)
		n += p->hooked[i].module == m ? p->hooked[i].n_functions : 0;
	return n;
}

/* Processes of one program hook the same libraries: each is named once. */
static bool was_hooked(const struct snapshot *snap, unsigned int process, unsigned int index)
{
	const struct module *m = snap->processes[process].hooked[index].module;
	unsigned int n = functions_in(&snap->processes[process], m);

	for (unsigned int i = 0; i <= process; i++) {
		const struct process *p = &snap->processes[i];

		for (unsigned int j = 0; j < (i == process ? index : p->n_hooked); j++)
			if (functions_in(p, p->hooked[j].module) == n &&
			    !strcmp(module__name(p->hooked[j].module), module__name(m)))
				return true;
	}
	return false;
}

static bool was_not_hooked(const struct snapshot *snap, unsigned int process, unsigned int index)
{
	const struct not_hooked *h = &snap->processes[process].not_hooked[index];

	for (unsigned int i = 0; i <= process; i++) {
		const struct process *p = &snap->processes[i];

		for (unsigned int j = 0; j < (i == process ? index : p->n_not_hooked); j++)
			if (!strcmp(p->not_hooked[j].path, h->path) && !strcmp(p->not_hooked[j].reason, h->reason))
				return true;
	}
	return false;
}

static void put_hooked(struct text *t)
{
	const struct snapshot *snap = t->r->snap;
	bool any = false;
	unsigned int n;

	fputs("hooked: ", t->to);
	for (unsigned int i = 0; i < snap->n_processes; i++) {
		for (unsigned int j = 0; j < snap->processes[i].n_hooked; j++) {
			const struct hooked_module *h = &snap->processes[i].hooked[j];

			if (was_hooked(snap, i, j))
				continue;
			fputs(any ? ", " : "", t->to);
			text__put_safe(t, module__name(h->module));
			n = functions_in(&snap->processes[i], h->module);
			fprintf(t->to, " (%u function%s)", n, plural(n));
			any = true;
		}
	}
	fputs(any ? "\n" : "NOTHING, no allocation can be seen\n", t->to);
}

static void put_not_hooked(struct text *t)
{
	const struct snapshot *snap = t->r->snap;

	for (unsigned int i = 0; i < snap->n_processes; i++) {
		for (unsigned int j = 0; j < snap->processes[i].n_not_hooked; j++) {
			const struct not_hooked *h = &snap->processes[i].not_hooked[j];

			if (was_not_hooked(snap, i, j))
				continue;
			fputs("not hooked: ", t->to);
			text__put_safe(t, h->path);
			fputs(": ", t->to);
			text__put_safe(t, h->reason);
			fputc('\n', t->to);
		}
	}
}

/* The process of the first site that still runs, else any that does. */
static const struct process *whom_to_trace(const struct report *r)
{
	const struct snapshot *snap = r->snap;

	for (unsigned int i = 0; i < r->judgement->n; i++) {
		const struct process *p = &snap->processes[snap->sites[r->judgement->order[i]].process];

		if (p->end == PROCESS_RUNS)
			return p;
	}
	for (unsigned int i = 0; i < snap->n_processes; i++)
		if (snap->processes[i].end == PROCESS_RUNS)
			return &snap->processes[i];
	return NULL;
}

static void put_next(struct text *t)
{
	const struct process *p = whom_to_trace(t->r);

	if (p)
		fprintf(t->to, "next: leaktrace -p %d 10 --format json -w FILE keeps every site and all its figures\n",
			(int)p->pid);
	else
		fputs("next: leaktrace --format json -w FILE -- COMMAND traces it from its first instruction\n", t->to);
}

void text_closing__put(struct text *t)
{
	if (t->listed)
		fputc('\n', t->to);
	put_wait(t);
	put_not_hooked(t);
	if (t->o->quiet)
		return;
	put_hidden(t);
	put_stacks(t);
	put_hooked(t);
	put_next(t);
}
