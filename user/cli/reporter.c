/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "cli/reporter.h"
#include "judge/verdict.h"
#include "version.h"

static int list_module(struct session *s, const struct attached_module *m, struct process *p)
{
	struct hooked_module *h;
	struct not_hooked *n;

	if (m->reason) {
		n = vec__add(&s->not_hooked);
		if (!n)
			return -ENOMEM;
		n->path = m->path;
		n->reason = m->reason;
		p->n_not_hooked++;
		return 0;
	}
	h = vec__add(&s->hooked);
	if (!h)
		return -ENOMEM;
	h->module = m->module;
	h->family = m->family;
	h->functions = m->functions;
	h->n_functions = m->n_functions;
	p->n_hooked++;
	return 0;
}

/* Give each process its share of the two lists; pointers into them are set once they have stopped growing. */
static int list_attached(struct session *s, struct snapshot *snap)
{
	unsigned int n, i, p, hooked = 0, not_hooked = 0;
	const struct attached_module *m = attacher__modules(s->attacher, &n);

	s->hooked.n = s->not_hooked.n = 0;
	for (p = 0; p < snap->n_processes; p++) {
		for (i = 0; i < n; i++) {
			if (m[i].pid == snap->processes[p].pid && list_module(s, &m[i], &snap->processes[p]))
				return -ENOMEM;
		}
	}
	for (p = 0; p < snap->n_processes; p++) {
		snap->processes[p].hooked = s->hooked.at + hooked;
		snap->processes[p].not_hooked = s->not_hooked.at + not_hooked;
		hooked += snap->processes[p].n_hooked;
		not_hooked += snap->processes[p].n_not_hooked;
	}
	return 0;
}

struct snapshot *reporter__read(struct session *s, bool end_window)
{
	const struct reading *r = collector__read(s->collector, end_window);
	struct snapshot *snap = r ? accountant__update(s->accountant, r) : NULL;

	s->reading = r;
	return snap && !list_attached(s, snap) ? snap : NULL;
}

/* What a pass over the block map gathers: the sums of --audit, and for -a the blocks by the key of their site. */
struct gathered {
	const struct reading *reading;
	const uint32_t *index_of; /* site id → index in reading.sites, plus one */
	uint32_t n_ids;
	bool list;
	int64_t bytes, n;
	VEC(struct block) blocks;
};

static int gather_block(void *ctx, const struct collected_block *b)
{
	struct gathered *g = ctx;
	struct block *out;

	g->bytes += (int64_t)b->size;
	g->n++;
	if (!g->list || b->site >= g->n_ids || !g->index_of[b->site])
		return 0;
	out = vec__add(&g->blocks);
	if (!out)
		return -ENOMEM;
	out->site_id = g->reading->sites[g->index_of[b->site] - 1].key;
	out->address = b->address;
	out->size = b->size;
	out->age_s = b->max_age_s;
	return 0;
}

static int gather_blocks(struct session *s, struct gathered *g)
{
	const struct reading *r = s->reading;
	__cleanup_free uint32_t *index_of = NULL;
	unsigned int i;

	for (i = 0; i < r->n_sites; i++) {
		if (r->sites[i].id >= g->n_ids)
			g->n_ids = r->sites[i].id + 1;
	}
	index_of = calloc(g->n_ids ? g->n_ids : 1, sizeof(*index_of));
	if (!index_of)
		return -ENOMEM;
	for (i = 0; i < r->n_sites; i++)
		index_of[r->sites[i].id] = i + 1;
	g->reading = r;
	g->index_of = index_of;
	return collector__each_block(s->collector, gather_block, g);
}

static int write_judged(struct session *s, struct snapshot *snap, struct sink *out, const struct gathered *g,
			struct err *e)
{
	struct judgement judgement;
	struct utsname uts = {};
	struct report report = {
		.snap = snap,
		.judgement = &judgement,
		.symbolizer = s->symbolizer,
		.version = LEAKTRACE_VERSION,
		.host = uts.nodename,
		.kernel = uts.release,
		.blocks = g->list ? g->blocks.at : NULL,
		.n_blocks = g->blocks.n,
	};
	int err;

	uname(&uts);
	if (judge__snapshot(snap, &judgement))
		return err__set(e, -ENOMEM, "out of memory");
	err = sink__write(out, &report, snap->final, e);
	judgement__free(&judgement);
	return err;
}

int reporter__write(struct session *s, struct snapshot *snap, struct sink *out, const char *end_reason, struct err *e)
{
	struct gathered g = {.list = s->options->show_addresses};
	int err = 0;

	snap->final = end_reason != NULL;
	snap->end_reason = end_reason;
	if (g.list || s->options->audit)
		err = gather_blocks(s, &g);
	if (err) {
		err__set(e, err, "cannot read the block map: %s", strerror(-err));
	} else {
		if (s->options->audit) {
			snap->audit_bytes = g.bytes;
			snap->audit_blocks = g.n;
		}
		err = write_judged(s, snap, out, &g, e);
	}
	vec__free(&g.blocks);
	return err;
}
