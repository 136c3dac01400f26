/* SPDX-License-Identifier: GPL-2.0-only */
#include <inttypes.h>
#include <math.h>
#include <sys/wait.h>

#include "account/snapshot.h"
#include "report/text_parts.h"

/*
 * The size of a failed call is known by site: with one failing site it is what the process asked for last, with
 * several the largest is named, as the one that is most likely to be wrong.
 */
static void put_failed(struct text *t, unsigned int process)
{
	const struct snapshot *snap = t->r->snap;
	uint64_t failed = snap->processes[process].failed_allocs, largest = 0;
	unsigned int sites = 0;
	char size[FIGURE_MAX];

	if (!failed)
		return;
	for (unsigned int i = 0; i < snap->n_sites; i++) {
		const struct site *s = &snap->sites[i];

		if (s->process != process || !s->failed_allocs)
			continue;
		sites++;
		if (s->failed_last_size > largest)
			largest = s->failed_last_size;
	}
	fprintf(t->to, GAP "%" PRIu64 " FAILED", failed);
	if (sites)
		fprintf(t->to, ", %s %s", sites == 1 ? "last asked for" : "asked for up to",
			figure__bytes(size, largest > INT64_MAX ? INT64_MAX : (int64_t)largest));
}

static void put_end(struct text *t, const struct process *p)
{
	char after[FIGURE_MAX];

	if (p->end == PROCESS_RUNS)
		return;
	if (p->end == PROCESS_EXECED)
		fputs(GAP "replaced itself (exec)", t->to);
	else if (p->exit_status >= 0 && WIFEXITED(p->exit_status))
		fprintf(t->to, GAP "exited with status %d", WEXITSTATUS(p->exit_status));
	else if (p->exit_status >= 0 && WIFSIGNALED(p->exit_status))
		fprintf(t->to, GAP "killed by signal %d", WTERMSIG(p->exit_status));
	else
		fputs(GAP "exited, status unknown", t->to);
	if (isfinite(p->end_s))
		fprintf(t->to, " after %s", figure__seconds(after, p->end_s));
}

static void put_memory(struct text *t, const struct process *p)
{
	struct amount live = {.bytes = p->live_bytes, .blocks = p->live_blocks};
	char blocks[FIGURE_MAX], rate[FIGURE_MAX], size[FIGURE_MAX];

	fprintf(t->to, "live %s" GAP "%s", figure__blocks(blocks, live), figure__rate(rate, p->growth_bytes_per_s));
	if (p->rss_bytes >= 0)
		fprintf(t->to, GAP "rss %s", figure__bytes(size, p->rss_bytes));
	if (p->pre_attach_bytes >= 0)
		fprintf(t->to, GAP "from before the attach %s", figure__bytes(size, p->pre_attach_bytes));
}

static void put_calls(struct text *t, const struct process *p)
{
	fprintf(t->to, GAP "%" PRIu64 " alloc%s" GAP "%" PRIu64 " free%s", p->allocs, plural(p->allocs), p->frees,
		plural(p->frees));
	if (p->frees_untracked)
		fprintf(t->to, " (%" PRIu64 " of blocks not tracked)", p->frees_untracked);
	if (p->vm_children)
		fprintf(t->to, GAP "%" PRIu64 " vfork children not seen", p->vm_children);
}

/* Whether -q leaves the process out: only what is known not to grow, and did not fail or end. */
static bool is_dull(const struct process *p)
{
	return p->growth_bytes_per_s <= 0 && !p->failed_allocs && p->end == PROCESS_RUNS;
}

void text_process__put_all(struct text *t)
{
	const struct snapshot *snap = t->r->snap;

	for (unsigned int i = 0; i < snap->n_processes; i++) {
		const struct process *p = &snap->processes[i];

		if (t->o->quiet && is_dull(p))
			continue;
		if (snap->n_processes > 1) {
			text__put_process(t, p);
			fputs(GAP, t->to);
		}
		put_memory(t, p);
		put_failed(t, i);
		put_end(t, p);
		put_calls(t, p);
		fputc('\n', t->to);
	}
}
