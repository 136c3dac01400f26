/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "account/accountant.h"
#include "account/series.h"
#include "base/clock.h"
#include "base/vec.h"

/* Live bytes of an address space at the ends of the windows in which it ran, and their slope. */
struct image_series {
	struct floor_series live;
	double growth_bytes_per_s;
};

struct accountant {
	struct account_options options;
	struct snapshot snap;
	VEC(struct floor_series *) sites; /* by site id; NULL: not seen yet */
	VEC(struct image_series) images;
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
	struct floor_series **s;

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

static struct floor_series *series_of(struct accountant *a, uint32_t id)
{
	while (a->sites.n <= id) {
		if (!vec__add(&a->sites))
			return NULL;
	}
	if (!a->sites.at[id])
		a->sites.at[id] = calloc(1, sizeof(struct floor_series));
	return a->sites.at[id];
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

static int add_site(struct accountant *a, const struct reading *r, const struct site_reading *in)
{
	struct floor_series *series = series_of(a, in->id);
	struct site *s;
	uint64_t live;

	if (!series)
		return -ENOMEM;
	/* A site that nothing happened to stood still at its live bytes. */
	live = in->live_bytes > 0 ? (uint64_t)in->live_bytes : 0;
	if (r->window_ended)
		floor_series__add(series, in->floor_known ? in->floor : live);
	if (r->images[in->image].end == IMAGE_EXECED)
		return 0;
	s = vec__add(&a->out_sites);
	if (!s)
		return -ENOMEM;
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
	s->windows = series->windows;
	s->rises = series->rises;
	s->falls = series->falls;
	s->floors = series->floors;
	s->n_floors = series->n;
	s->growth_bytes_per_s = floor_series__slope(series, a->ends, a->n_ends);
	s->ages = in->ages;
	s->n_ages = in->n_ages;
	s->frames = in->frames;
	s->n_frames = in->n_frames;
	s->truncated = in->truncated;
	s->frames_lost = !in->frames && !in->overflow;
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

static struct image_series *image_series_of(struct accountant *a, unsigned int image)
{
	while (a->images.n <= image) {
		struct image_series *fresh = vec__add(&a->images);

		if (!fresh)
			return NULL;
		fresh->growth_bytes_per_s = NAN;
	}
	return &a->images.at[image];
}

/* Processes with the sums of their sites; must come after the sites. */
static int add_processes(struct accountant *a, const struct reading *r)
{
	struct image_series *series;
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
		series = image_series_of(a, i);
		if (!series)
			return -ENOMEM;
		/* Later windows end at other distances: the slope of one that has ended is not to be taken again. */
		if (r->window_ended && p->end == PROCESS_RUNS) {
			floor_series__add(&series->live, p->live_bytes > 0 ? (uint64_t)p->live_bytes : 0);
			series->growth_bytes_per_s = floor_series__slope(&series->live, a->ends, a->n_ends);
		}
		p->growth_bytes_per_s = series->growth_bytes_per_s;
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
	snap->overhead = r->overhead;
	snap->audit_bytes = snap->audit_blocks = -1;
	return snap;
}
