/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "account/accountant.h"
#include "account/series.h"
#include "base/clock.h"
#include "base/vec.h"

/* Floors of a site, or live bytes of an address space at the ends of windows; and their slope. */
struct growth {
	struct floor_series series;
	double bytes_per_s;
};

struct accountant {
	struct account_options options;
	struct snapshot snap;
	VEC(struct growth *) sites; /* by site id; NULL: not seen yet */
	VEC(struct growth) images;
	VEC(struct site) out_sites;
	VEC(struct process) out_processes;
	double ends[SNAPSHOT_FLOORS]; /* of the last windows, seconds of the trace */
	unsigned int n_ends;
};

struct accountant *accountant__new(const struct account_options *o)
{
	struct accountant *a = calloc(1, sizeof(*a));

	if (a)
		a->options = *o;
	return a;
}

void accountant__free(struct accountant *a)
{
	struct growth **s;

	if (!a)
		return;
	vec__each (&a->sites, s)
		free(*s);
	vec__free(&a->sites);
	vec__free(&a->images);
	vec__free(&a->out_sites);
	vec__free(&a->out_processes);
	free(a);
}

static double trace_seconds(const struct accountant *a, uint64_t time_ns)
{
	return time_ns > a->options.started_ns ? (double)(time_ns - a->options.started_ns) / NSEC_PER_SEC : 0;
}

static void end_window(struct accountant *a, const struct reading *r)
{
	if (a->n_ends == SNAPSHOT_FLOORS)
		memmove(a->ends, a->ends + 1, --a->n_ends * sizeof(a->ends[0]));
	a->ends[a->n_ends++] = trace_seconds(a, r->time_ns);
	a->snap.windows++;
}

/*
 * A window of a running process has ended. Not called for one that has ended itself: its frees at exit are no news of
 * the site, and later windows end at other distances, so its slope must not be taken again.
 */
static void growth__add(struct growth *g, const struct accountant *a, uint64_t floor)
{
	floor_series__add(&g->series, floor);
	g->bytes_per_s = floor_series__slope(&g->series, a->ends, a->n_ends);
}

static struct growth *growth_of_site(struct accountant *a, uint32_t id)
{
	while (a->sites.n <= id) {
		if (!vec__add(&a->sites))
			return NULL;
	}
	if (!a->sites.at[id]) {
		a->sites.at[id] = calloc(1, sizeof(struct growth));
		if (a->sites.at[id])
			a->sites.at[id]->bytes_per_s = NAN;
	}
	return a->sites.at[id];
}

static struct growth *growth_of_image(struct accountant *a, unsigned int image)
{
	while (a->images.n <= image) {
		struct growth *fresh = vec__add(&a->images);

		if (!fresh)
			return NULL;
		fresh->bytes_per_s = NAN;
	}
	return &a->images.at[image];
}

static double oldest_age(const struct site_reading *in)
{
	unsigned int i;

	for (i = in->n_ages; i-- > 0;) {
		if (in->ages[i].blocks > 0)
			return in->ages[i].max_s;
	}
	return NAN;
}

static void describe_site(const struct site_reading *in, const struct growth *g, struct site *s)
{
	s->id = in->key;
	s->process = in->image;
	s->kind = SITE_HEAP;
	s->function = in->function;
	s->overflow = in->overflow;
	s->live_bytes = in->live_bytes;
	s->live_blocks = in->live_blocks;
	s->total_alloc_bytes = in->alloc_bytes;
	s->total_allocs = in->allocs;
	s->total_frees = in->frees;
	s->failed_allocs = in->failed;
	s->failed_last_size = in->failed_size;
	s->oldest_age_s = oldest_age(in);
	s->windows = g->series.windows;
	s->rises = g->series.rises;
	s->falls = g->series.falls;
	s->floors = g->series.floors;
	s->n_floors = g->series.n;
	s->growth_bytes_per_s = g->bytes_per_s;
	s->ages = in->ages;
	s->n_ages = in->n_ages;
	s->frames = in->frames;
	s->n_frames = in->n_frames;
	s->truncated = in->truncated;
	s->guessed = in->guessed;
	s->finished = in->finished;
	s->frames_lost = !in->frames && !in->overflow;
}

static int add_site(struct accountant *a, const struct reading *r, const struct site_reading *in)
{
	struct growth *g = growth_of_site(a, in->id);
	enum image_end end = r->images[in->image].end;
	struct site *s;

	if (!g)
		return -ENOMEM;
	/* A site that nothing happened to stood still at its live bytes. */
	if (r->window_ended && end == IMAGE_RUNS)
		growth__add(g, a, in->floor_known ? in->floor : in->live_bytes > 0 ? (uint64_t)in->live_bytes : 0);
	if (end == IMAGE_EXECED)
		return 0;
	s = vec__add(&a->out_sites);
	if (!s)
		return -ENOMEM;
	describe_site(in, g, s);
	return 0;
}

static void describe(const struct accountant *a, const struct image_reading *in, struct process *p)
{
	p->pid = in->pid;
	p->start_time = in->start_time;
	p->comm = in->comm;
	p->exe = in->exe;
	p->cgroup = in->cgroup;
	p->end = in->end == IMAGE_RUNS ? PROCESS_RUNS : in->end == IMAGE_EXECED ? PROCESS_EXECED : PROCESS_EXITED;
	p->end_s = in->end == IMAGE_RUNS ? NAN : trace_seconds(a, in->end_ns);
	p->exit_status = in->exit_status;
	p->allocs = in->allocs;
	p->frees = in->frees;
	p->frees_untracked = in->frees_untracked;
	p->failed_allocs = in->failed;
	p->vm_children = in->vm_children;
	p->pre_attach_bytes = -1;
	p->rss_bytes = in->rss_bytes;
}

/* Processes with the sums of their sites; must come after the sites. */
static int add_processes(struct accountant *a, const struct reading *r)
{
	struct growth *g;
	struct process *p;
	struct site *s;
	unsigned int i;

	a->out_processes.n = 0;
	for (i = 0; i < r->n_images; i++) {
		p = vec__add(&a->out_processes);
		if (!p)
			return -ENOMEM;
		describe(a, &r->images[i], p);
	}
	vec__each (&a->out_sites, s) {
		p = &a->out_processes.at[s->process];
		p->live_bytes += s->live_bytes;
		p->live_blocks += s->live_blocks;
	}
	for (i = 0; i < r->n_images; i++) {
		p = &a->out_processes.at[i];
		g = growth_of_image(a, i);
		if (!g)
			return -ENOMEM;
		if (r->window_ended && p->end == PROCESS_RUNS)
			growth__add(g, a, p->live_bytes > 0 ? (uint64_t)p->live_bytes : 0);
		p->growth_bytes_per_s = g->bytes_per_s;
	}
	return 0;
}

struct snapshot *accountant__update(struct accountant *a, const struct reading *r)
{
	struct snapshot *snap = &a->snap;
	unsigned int i;

	if (r->window_ended)
		end_window(a, r);
	a->out_sites.n = 0;
	for (i = 0; i < r->n_sites; i++) {
		if (add_site(a, r, &r->sites[i]))
			return NULL;
	}
	if (add_processes(a, r))
		return NULL;
	snap->started = a->options.started;
	snap->duration_s = trace_seconds(a, r->time_ns);
	snap->observed_s = snap->duration_s;
	snap->interval_s = a->options.interval_s;
	snap->stack_method = a->options.stack_method;
	snap->attach_path = a->options.attach_path;
	snap->processes = a->out_processes.at;
	snap->n_processes = (unsigned int)a->out_processes.n;
	snap->sites = a->out_sites.at;
	snap->n_sites = (unsigned int)a->out_sites.n;
	snap->losses = r->losses;
	snap->walk_ends = r->walk_ends;
	snap->overhead = r->overhead;
	snap->audit_bytes = snap->audit_blocks = -1;
	return snap;
}
