/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "collect/images.h"
#include "select/process_info.h"
#include "unwind/spaces.h"

/* For reading a perf map: so much at once, and a share of the time since it was first needed. */
#define JIT_BURST_NS (NSEC_PER_SEC / 4)
#define JIT_SHARE    32

static void read_proc(struct image *img)
{
	struct process_info info;

	if (process_info__read(img->pid, &info))
		return;
	memcpy(img->comm, info.comm, sizeof(img->comm));
	img->start_time = info.start_time;
	img->exe = process_info__exe(img->pid);
	img->cgroup = process_info__cgroup(img->pid);
}

void image__learn(struct image *img, const struct lt_rec_process *rec)
{
	char comm[LT_COMM_SIZE + 1] = "";

	img->exec_id = rec->exec_id;
	memcpy(comm, rec->comm, LT_COMM_SIZE);
	text__safe(img->comm, sizeof(img->comm), comm);
	if (!img->start_time)
		img->start_time = process_info__start_time(rec->start_boottime);
}

struct image *images__add(struct images *all, pid_t pid)
{
	struct image *img = calloc(1, sizeof(*img)), **slot;

	slot = img ? vec__add(&all->list) : NULL;
	if (!slot) {
		free(img);
		return NULL;
	}
	*slot = img;
	img->pid = pid;
	img->slot = LT_NO_SLOT;
	img->space = all->spaces ? spaces__add(all->spaces) : LT_NO_SPACE;
	img->exit_status = -1;
	img->rss_bytes = -1;
	img->mappings_stale = true;
	read_proc(img);
	return img;
}

struct image *images__running(struct images *all, pid_t pid)
{
	struct image **img;

	vec__each (&all->list, img) {
		if ((*img)->pid == pid && (*img)->end == IMAGE_RUNS)
			return *img;
	}
	return NULL;
}

struct image *images__by_slot(struct images *all, uint32_t slot, unsigned int *index)
{
	struct image **img;

	vec__each (&all->list, img) {
		if ((*img)->slot == slot) {
			*index = (unsigned int)(img - all->list.at);
			return *img;
		}
	}
	return NULL;
}

void image__ended(struct image *img, struct images *all, enum image_end end, uint64_t time_ns)
{
	img->end = end;
	img->end_ns = time_ns;
	if (all->spaces)
		spaces__remove(all->spaces, img->space);
	img->space = LT_NO_SPACE;
}

/*
 * A mapping that was there in the reading before has been there since, if nothing was unloaded in between. If something
 * was, it may have been gone, and back, with another in its place meanwhile; not so what was there before the trace,
 * most of which cannot be unloaded.
 */
static void keep_since(const struct image *img, struct mappings *now, uint32_t epoch)
{
	struct mapping *at;

	vec__each (&now->list, at) {
		const struct mapping *old = mappings__find(&img->mappings, at->start);
		bool same = old && old->start == at->start && old->module == at->module && old->offset == at->offset;

		at->since = epoch;
		if (same && (img->epoch == epoch || old->since == img->first_epoch))
			at->since = old->since;
	}
}

/*
 * They have been read, which began at this count of spaces__stale(). In the middle of a change, what is there may have
 * come since the last stack of this epoch.
 */
static void take_mappings(struct image *img, const struct images *all, struct mappings *fresh, uint32_t stale)
{
	uint32_t epoch = 0;
	bool settled = true;

	if (all->spaces) {
		epoch = spaces__epoch(all->spaces, img->space);
		settled = stale == epoch && spaces__stale(all->spaces, img->space) == epoch;
	}
	if (!img->mappings.list.n)
		img->first_epoch = settled ? epoch : epoch + 1;
	keep_since(img, fresh, settled ? epoch : epoch + 1);
	mappings__free(&img->earlier);
	img->earlier = img->mappings;
	img->earlier_epoch = img->epoch;
	img->mappings = *fresh;
	img->epoch = settled ? epoch : LT_NO_EPOCH;
}

int image__read_mappings(struct image *img, struct images *all)
{
	/* Before they are read: what changes meanwhile must show. */
	uint32_t stale = all->spaces ? spaces__stale(all->spaces, img->space) : 0;
	uint64_t now = clock__mono_ns();
	struct mappings fresh = {};
	int err = mappings__refresh(&fresh, all->modules, img->pid);

	img->mappings_stale = false;
	img->mappings_ns = now;
	if (err)
		return err;
	take_mappings(img, all, &fresh, stale);
	if (!all->spaces)
		return 0;
	/* They are known all the same; the kernel side doubts its own, and asks the kernel. */
	err = spaces__publish(all->spaces, img->space, &img->mappings, stale);
	if (err)
		log__info("process %d: its mappings find no room: %s", img->pid, strerror(-err));
	return 0;
}

void image__refresh_mappings(struct image *img, struct images *all)
{
	if (img->mappings_stale && img->end == IMAGE_RUNS)
		image__read_mappings(img, all);
}

const struct mapping *image__find(struct image *img, struct images *all, uint64_t pc)
{
	const struct mapping *at = mappings__find(&img->mappings, pc);

	if (at || !img->mappings_stale)
		return at;
	image__refresh_mappings(img, all);
	return mappings__find(&img->mappings, pc);
}

/* Make the perf map say what its file says now. False: there is none. */
static bool refresh_jit(struct image *img)
{
	uint64_t now = clock__mono_ns();

	if (!img->jit) {
		if (img->end != IMAGE_RUNS)
			return false;
		img->jit = perf_map__new(img->pid);
		img->jit_since_ns = now;
	}
	if (!img->jit)
		return false;
	if (img->end == IMAGE_RUNS && img->jit_spent_ns < JIT_BURST_NS + (now - img->jit_since_ns) / JIT_SHARE) {
		perf_map__refresh(img->jit);
		img->jit_spent_ns += clock__mono_ns() - now;
	}
	return true;
}

void image__name_jit(struct image *img, struct frame *frames, unsigned int n)
{
	bool is_read = false;
	uint64_t start;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct frame *f = &frames[i];

		if (f->module)
			continue;
		if (!is_read && !refresh_jit(img))
			return;
		is_read = true;
		f->jit_name = perf_map__find(img->jit, f->pc - f->is_return_address, &start);
		if (f->jit_name)
			f->jit_offset = f->pc - start;
	}
}

void images__free(struct images *all)
{
	struct image **img;

	vec__each (&all->list, img) {
		mappings__free(&(*img)->mappings);
		mappings__free(&(*img)->earlier);
		perf_map__free((*img)->jit);
		free((*img)->exe);
		free((*img)->cgroup);
		free(*img);
	}
	vec__free(&all->list);
}
