/* SPDX-License-Identifier: GPL-2.0-only */
/* readout: the numbers of a window, from the kernel's mapped counters. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "collect/collector_private.h"
#include "collect/walked.h"
#include "select/process_info.h"

/* What a retired counter still holds goes to the one that has taken over. Probes add at the same time: atomically. */
static void move_counter(const struct birth_retired *r, void *ctx)
{
	struct collector *c = ctx;
	uint64_t i;

	for (i = 0; i < collector__n_sites(c); i++) {
		struct lt_site *s = &c->sites[i];
		int64_t bytes = __atomic_exchange_n(&s->birth_bytes[r->counter], 0, __ATOMIC_RELAXED);
		int64_t blocks = __atomic_exchange_n(&s->birth_blocks[r->counter], 0, __ATOMIC_RELAXED);

		if (bytes)
			__atomic_fetch_add(&s->birth_bytes[r->into], bytes, __ATOMIC_RELAXED);
		if (blocks)
			__atomic_fetch_add(&s->birth_blocks[r->into], blocks, __ATOMIC_RELAXED);
	}
}

static void publish_birth(struct collector *c)
{
	struct lt_state *state = &c->bpf->bss->state;

	/* The map first: a block must not be born in a slot that has no counter yet. */
	memcpy(state->birth_counter, c->birth.counter_of, sizeof(state->birth_counter));
	__atomic_store_n(&state->birth, c->birth.current, __ATOMIC_RELEASE);
}

/* Start the next window. Window numbers live in fewer bits; 0 means "never" there and is skipped. Returns the old one.
 */
static uint32_t next_window(struct collector *c)
{
	uint32_t *window = &c->bpf->bss->state.window, old = *window, next = (old + 1) & LT_WINDOW_MAX;

	/* Keeps odd after even: the two floor words of a site alternate. */
	__atomic_store_n(window, next ? next : 2, __ATOMIC_RELEASE);
	return old;
}

/* Seconds from then to now; a slot may begin a moment after a process has ended. */
static double seconds_since(uint64_t then_ns, uint64_t now_ns)
{
	return now_ns > then_ns ? (double)(now_ns - then_ns) / NSEC_PER_SEC : 0;
}

static void read_ages(const struct collector *c, const struct lt_site *s, uint64_t now, struct site_reading *out,
		      struct age_bin *bins)
{
	unsigned int i, n = 0;

	for (i = c->birth.n_groups; i-- > 0;) {
		const struct birth_group *g = &c->birth.groups[i];
		struct age_bin *bin = &bins[n];

		bin->bytes = birth__sum(&c->birth, i, s->birth_bytes);
		bin->blocks = birth__sum(&c->birth, i, s->birth_blocks);
		bin->min_s = g->end_ns ? seconds_since(g->end_ns, now) : 0;
		bin->max_s = seconds_since(g->start_ns, now);
		if (bin->bytes || bin->blocks)
			n++;
	}
	out->ages = bins;
	out->n_ages = n;
}

/* A site's lowest live bytes in the window that has ended. One that nothing happened to in it stood still. */
static uint64_t floor_of(const struct lt_site *s, uint32_t window, bool *known)
{
	uint64_t word = s->floor[window & 1];

	if (lt_floor_window(word) != (window & LT_WINDOW_MAX))
		return s->live_bytes > 0 ? (uint64_t)s->live_bytes : 0;
	*known = true;
	return lt_floor_value(word);
}

/*
 * The sums of a site and of those that are shown as it. Their floors need not have been reached at the same moment, so
 * their sum is a lower bound of the floor of the whole.
 */
static void sum_joined(const struct collector *c, uint32_t id, int ended_window, struct lt_site *sum,
		       struct site_reading *out)
{
	uint32_t next = c->stacks.by_site[id].frames ? c->stacks.by_site[id].next : NO_SITE;
	unsigned int i;

	*sum = c->sites[id];
	if (ended_window >= 0)
		out->floor = floor_of(sum, (uint32_t)ended_window, &out->floor_known);
	for (; next != NO_SITE; next = c->stacks.by_site[next].next) {
		const struct lt_site *s = &c->sites[next];

		sum->live_bytes += s->live_bytes;
		sum->live_blocks += s->live_blocks;
		sum->alloc_bytes += s->alloc_bytes;
		sum->allocs += s->allocs;
		sum->frees += s->frees;
		sum->failed += s->failed;
		sum->failed_size = s->failed ? s->failed_size : sum->failed_size;
		for (i = 0; i < LT_BIRTH_COUNTERS; i++) {
			sum->birth_bytes[i] += s->birth_bytes[i];
			sum->birth_blocks[i] += s->birth_blocks[i];
		}
		if (ended_window >= 0)
			out->floor += floor_of(s, (uint32_t)ended_window, &out->floor_known);
	}
}

static void describe_stack(struct collector *c, const struct lt_site *s, uint32_t id, struct site_reading *out)
{
	const struct stack *stack = &c->stacks.by_site[id];

	out->frames = stack->frames;
	out->n_frames = stack->n;
	/* Not even in the ring; a stack that is there comes with the next drain. */
	if (!stack->frames && !s->flags)
		c->reading.losses.stacks_lost++;
	if (!stack->frames)
		return;
	out->truncated = lt_stack_end__words((enum lt_stack_end)stack->end);
	out->guessed = stack->flags & LT_STACK_GUESSED;
	out->finished = stack->finished;
	if (out->truncated)
		c->reading.losses.stacks_truncated++;
}

static int read_site(struct collector *c, uint32_t id, int ended_window, uint64_t now)
{
	const struct lt_site *s = &c->sites[id];
	struct site_reading *out;
	struct lt_site sum;
	unsigned int image;

	/* Lost a race, or shown as another one. */
	if (s->flags & LT_SITE_UNUSED || stacks__primary(&c->stacks, id) != id ||
	    !images__by_slot(c->images, s->slot, &image))
		return 0;
	out = vec__add(&c->site_readings);
	if (!out)
		return -ENOMEM;
	sum_joined(c, id, ended_window, &sum, out);
	/* Just being made: nothing was counted in it. */
	if (!sum.allocs && !sum.failed) {
		c->site_readings.n--;
		return 0;
	}
	out->id = id;
	out->overflow = id >= c->options.max_sites;
	out->key = out->overflow ? id : s->hash;
	out->image = image;
	out->function = out->overflow ? NULL : c->options.function_name(c->options.ctx, s->fn);
	out->live_bytes = sum.live_bytes;
	out->live_blocks = sum.live_blocks;
	out->alloc_bytes = sum.alloc_bytes;
	out->allocs = sum.allocs;
	out->frees = sum.frees;
	out->failed = sum.failed;
	out->failed_size = sum.failed_size;
	describe_stack(c, s, id, out);
	/* Blocks grow no older than their process. */
	if (c->images->list.at[image]->end != IMAGE_RUNS)
		now = c->images->list.at[image]->end_ns;
	read_ages(c, &sum, now, out, c->bins + (size_t)id * LT_BIRTH_COUNTERS);
	return 0;
}

static int read_sites(struct collector *c, int ended_window, uint64_t now)
{
	uint32_t i, n = c->bpf->bss->state.next_site;
	int err = 0;

	c->site_readings.n = 0;
	if (n > c->options.max_sites)
		n = (uint32_t)c->options.max_sites;
	for (i = 0; i < n && !err; i++)
		err = read_site(c, i, ended_window, now);
	for (i = 0; i < LT_MAX_SLOTS && !err; i++) {
		if (c->sites[c->options.max_sites + i].flags)
			err = read_site(c, (uint32_t)c->options.max_sites + i, ended_window, now);
	}
	return err;
}

static void describe_image(struct image *img, struct image_reading *out)
{
	int64_t rss = img->end == IMAGE_RUNS ? process_info__rss(img->pid) : -1;

	if (rss >= 0)
		img->rss_bytes = rss;
	out->pid = img->pid;
	out->start_time = img->start_time;
	out->comm = img->comm;
	out->exe = img->exe;
	out->cgroup = img->cgroup;
	out->end = img->end;
	out->end_ns = img->end_ns;
	out->exit_status = img->exit_status;
	out->rss_bytes = img->rss_bytes;
}

static int read_images(struct collector *c)
{
	struct image **img;

	c->image_readings.n = 0;
	vec__each (&c->images->list, img) {
		struct image_reading *out = vec__add(&c->image_readings);
		const struct lt_slot *s;

		if (!out)
			return -ENOMEM;
		describe_image(*img, out);
		if ((*img)->slot >= LT_MAX_SLOTS)
			continue;
		s = &c->slots[(*img)->slot];
		out->allocs = s->allocs;
		out->frees = s->frees;
		out->frees_untracked = s->frees_untracked;
		out->failed = s->failed;
		out->vm_children = s->vm_children;
	}
	return 0;
}

/* Times that a probe was hit and its program not run, as the kernel counts them for each program (since 5.12). */
static uint64_t read_misses(struct collector *c)
{
	struct bpf_program *progs[] = {c->bpf->progs.on_session,  c->bpf->progs.on_session_fp, c->bpf->progs.on_enter,
				       c->bpf->progs.on_enter_fp, c->bpf->progs.on_leave,      c->bpf->progs.on_loader};
	uint64_t misses = 0;
	size_t i;

	for (i = 0; i < sizeof(progs) / sizeof(progs[0]); i++) {
		struct bpf_prog_info info = {};
		uint32_t len = sizeof(info);

		if (bpf_program__fd(progs[i]) >= 0 && !bpf_obj_get_info_by_fd(bpf_program__fd(progs[i]), &info, &len))
			misses += info.recursion_misses;
	}
	return misses;
}

static void read_losses(struct collector *c, struct losses *l)
{
	const uint64_t *n = c->counters;

	l->blocks_not_tracked = n[LT_CNT_BLOCKS_NOT_TRACKED];
	l->bytes_not_tracked = n[LT_CNT_BYTES_NOT_TRACKED];
	l->sites_merged = n[LT_CNT_SITES_MERGED];
	l->records_dropped = n[LT_CNT_RECORDS_DROPPED] + c->records_bad;
	l->returns_unmatched = n[LT_CNT_RETURNS_UNMATCHED];
	l->returns_unsafe = n[LT_CNT_RETURNS_UNSAFE];
	l->returns_omitted = n[LT_CNT_RETURNS_OMITTED];
	l->frees_missed = n[LT_CNT_FREES_MISSED];
	l->floors_missed = n[LT_CNT_FLOORS_MISSED];
	l->reads_failed = n[LT_CNT_READS_FAILED];
	l->tasks_untracked = n[LT_CNT_TASKS_UNTRACKED];
	l->processes_untracked = n[LT_CNT_PROCESSES_UNTRACKED];
	l->events_dropped = n[LT_CNT_EVENTS_DROPPED];
	l->leaders_gone = c->leaders_gone;
	l->probe_misses = read_misses(c);
}

static void read_walk_ends(const struct collector *c, struct walk_ends *w)
{
	const uint64_t *n = c->counters + LT_CNT_ENDS;

	w->deep = n[LT_END_DEEP];
	w->unmapped = n[LT_END_UNMAPPED];
	w->no_rule = n[LT_END_NO_RULE];
	w->signal = n[LT_END_SIGNAL];
	w->stale = n[LT_END_STALE];
	w->unreadable = n[LT_END_UNREADABLE];
	w->implausible = n[LT_END_IMPLAUSIBLE];
}

static void read_overhead(struct collector *c, struct overhead *o)
{
	int cpu, n_cpus = libbpf_num_possible_cpus();
	uint64_t hits[n_cpus > 0 ? n_cpus : 1];
	struct rusage usage;
	uint32_t zero = 0;

	o->probe_hits = 0;
	if (n_cpus > 0 && !bpf_map_lookup_elem(bpf_map__fd(c->bpf->maps.hits), &zero, hits)) {
		for (cpu = 0; cpu < n_cpus; cpu++)
			o->probe_hits += hits[cpu];
	}
	o->probe_cpu_s = o->percent_of_one_cpu = NAN;
	getrusage(RUSAGE_SELF, &usage);
	o->tool_cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

const struct reading *collector__read(struct collector *c, bool end_window)
{
	uint64_t now;
	int window = -1;

	if (end_window)
		window = (int)next_window(c);
	collector__drain(c);
	now = clock__mono_ns();
	memset(&c->reading, 0, sizeof(c->reading));
	if (read_sites(c, window, now) || read_images(c))
		return NULL;
	if (end_window) {
		birth__window_ended(&c->birth, now, move_counter, c);
		publish_birth(c);
	}
	read_losses(c, &c->reading.losses);
	read_walk_ends(c, &c->reading.walk_ends);
	read_overhead(c, &c->reading.overhead);
	c->reading.time_ns = now;
	c->reading.window_ended = end_window;
	c->reading.sites = c->site_readings.at;
	c->reading.n_sites = (unsigned int)c->site_readings.n;
	c->reading.images = c->image_readings.at;
	c->reading.n_images = (unsigned int)c->image_readings.n;
	return &c->reading;
}
