/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdlib.h>
#include <string.h>

#include "abi.h"
#include "collect/images.h"
#include "select/process_info.h"
#include "unwind/spaces.h"

void image__refresh(struct image *img)
{
	struct process_info info;
	char *exe, *cgroup;

	if (process_info__read(img->pid, &info))
		return;
	memcpy(img->comm, info.comm, sizeof(img->comm));
	img->start_time = info.start_time;
	exe = process_info__exe(img->pid);
	if (exe) {
		free(img->exe);
		img->exe = exe;
	}
	cgroup = process_info__cgroup(img->pid);
	if (cgroup) {
		free(img->cgroup);
		img->cgroup = cgroup;
	}
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
	image__refresh(img);
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

int image__read_mappings(struct image *img, struct images *all)
{
	/* Before they are read: what changes meanwhile must show. */
	uint32_t stale = all->spaces ? spaces__stale(all->spaces, img->space) : 0;
	int err = mappings__refresh(&img->mappings, all->modules, img->pid);

	img->mappings_stale = false;
	if (!err && all->spaces)
		err = spaces__publish(all->spaces, img->space, &img->mappings, stale);
	return err;
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

void images__free(struct images *all)
{
	struct image **img;

	vec__each (&all->list, img) {
		mappings__free(&(*img)->mappings);
		free((*img)->exe);
		free((*img)->cgroup);
		free(*img);
	}
	vec__free(&all->list);
}
