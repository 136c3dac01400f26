/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "collect/collector_private.h"

/* A child that shares the memory may outlive it: it must not walk by the tables of whoever gets the space next. */
static void end_image(struct collector *c, struct image *img, enum image_end end, uint64_t time_ns)
{
	if (img->slot < LT_MAX_SLOTS)
		__atomic_store_n(&c->slots[img->slot].space, LT_NO_SPACE, __ATOMIC_RELEASE);
	image__ended(img, c->images, end, time_ns);
}

/* A slot was assigned: to the running image of its process, which has none yet unless an exec record was lost. */
static void on_process(struct collector *c, const struct lt_rec_process *rec)
{
	struct image *img = images__running(c->images, (pid_t)rec->pid);
	unsigned int index;

	/* Two threads may announce the same slot. */
	if (images__by_slot(c->images, rec->slot, &index))
		return;
	if (img && img->slot != LT_NO_SLOT) {
		end_image(c, img, IMAGE_EXECED, rec->time_ns);
		collector__purge(c, img->slot);
		img = NULL;
	}
	if (!img)
		img = images__add(c->images, (pid_t)rec->pid);
	if (!img)
		return;
	img->slot = rec->slot;
	/* After an exec the slot may have been made before its image had a space. */
	if (img->slot < LT_MAX_SLOTS)
		__atomic_store_n(&c->slots[img->slot].space, img->space, __ATOMIC_RELEASE);
	image__learn(img, rec);
}

static void on_exec(struct collector *c, const struct lt_rec_process *rec)
{
	struct image *img = images__running(c->images, (pid_t)rec->pid);

	if (!img)
		return;
	end_image(c, img, IMAGE_EXECED, rec->time_ns);
	if (img->slot != LT_NO_SLOT)
		collector__purge(c, img->slot);
	img = images__add(c->images, (pid_t)rec->pid);
	if (!img)
		return;
	image__learn(img, rec);
	image__read_mappings(img, c->images);
	collector__watch(c, img->pid);
	c->options.on_event(c->options.ctx, COLLECTOR_EXEC, (pid_t)rec->pid);
}

/* Its loader has changed the list of libraries: their tables should be there before their constructors allocate. */
static void on_loaded(struct collector *c, const struct lt_rec_process *rec)
{
	unsigned int index;
	struct image *img = images__by_slot(c->images, rec->slot, &index);

	if (!img || img->end != IMAGE_RUNS)
		return;
	/* A process that keeps telling news is read no more often than there is some. */
	if (rec->time_ns >= img->mappings_ns)
		image__read_mappings(img, c->images);
	c->options.on_event(c->options.ctx, COLLECTOR_LOADED, img->pid);
}

static int on_stack(struct collector *c, const struct lt_rec_stack *rec, size_t size)
{
	if (size < offsetof(struct lt_rec_stack, frames) || rec->site >= collector__n_sites(c))
		return -EPROTO;
	return stacks__add(&c->stacks, c->images, c->sites[rec->site].fn, rec, size);
}

static void on_exit_record(struct collector *c, const struct lt_rec_process *rec)
{
	struct image *img = images__running(c->images, (pid_t)rec->pid);

	if (!img)
		return;
	image__learn(img, rec);
	end_image(c, img, IMAGE_EXITED, rec->time_ns);
	c->options.on_event(c->options.ctx, COLLECTOR_EXIT, (pid_t)rec->pid);
}

static void on_leader_exit(struct collector *c, const struct lt_rec_process *rec)
{
	c->leaders_gone += c->options.leader_exit_loses;
	c->options.on_event(c->options.ctx, COLLECTOR_LEADER_EXIT, (pid_t)rec->pid);
}

static int on_record(void *ctx, void *data, size_t size)
{
	const struct lt_rec_process *process = data;
	struct collector *c = ctx;
	uint32_t type = *(const uint32_t *)data;
	int err = 0;

	if (type == LT_REC_STACK || type == LT_REC_PARTIAL)
		err = on_stack(c, data, size);
	else if (size < sizeof(*process))
		err = -EPROTO;
	else if (type == LT_REC_PROCESS)
		on_process(c, process);
	else if (type == LT_REC_EXEC)
		on_exec(c, process);
	else if (type == LT_REC_EXIT)
		on_exit_record(c, process);
	else if (type == LT_REC_LEADER)
		on_leader_exit(c, process);
	else if (type == LT_REC_LOADED)
		on_loaded(c, process);
	if (err)
		c->records_bad++;
	return 0;
}

static int on_event_record(void *ctx, void *data, size_t size)
{
	const struct lt_event *rec = data;
	struct collector *c = ctx;
	struct collected_event e;

	if (size < sizeof(*rec))
		return 0;
	e = (struct collected_event){
		.time_ns = rec->time_ns,
		.pid = (pid_t)rec->pid,
		.tid = (pid_t)rec->tid,
		.kind = rec->kind == LT_EVENT_BORN   ? EVENT_BORN
			: rec->kind == LT_EVENT_GONE ? EVENT_GONE
						     : EVENT_FAILED,
		.function = c->options.function_name(c->options.ctx, rec->fn),
		.address = rec->address,
		.size = rec->size,
		.size_known = rec->size != LT_NO_SIZE,
	};
	c->options.on_block(c->options.ctx, &e);
	return 0;
}

void collector__drain(struct collector *c)
{
	struct image **img;

	/* A stack that arrives now may lie in a library mapped since the last time. */
	vec__each (&c->images->list, img)
		(*img)->mappings_stale = true;
	ring_buffer__consume(c->ring);
}

void collector__process_ended(struct collector *c, pid_t pid, int exit_status)
{
	struct image *img;

	collector__drain(c);
	img = images__running(c->images, pid);
	if (img)
		end_image(c, img, IMAGE_EXITED, clock__mono_ns());
	if (exit_status < 0)
		return;
	/* The last image of the process, ended by now. */
	for (size_t i = c->images->list.n; i-- > 0;) {
		if (c->images->list.at[i]->pid == pid) {
			c->images->list.at[i]->exit_status = exit_status;
			return;
		}
	}
}

static void *map_array(struct bpf_map *map, size_t elem, uint64_t n, int prot, size_t *size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at;

	*size = (elem * n + page - 1) / page * page;
	at = mmap(NULL, *size, prot, MAP_SHARED, bpf_map__fd(map), 0);
	return at == MAP_FAILED ? NULL : at;
}

static int map_counters(struct collector *c)
{
	c->sites = map_array(c->bpf->maps.sites, sizeof(struct lt_site), collector__n_sites(c), PROT_READ | PROT_WRITE,
			     &c->sites_size);
	c->slots = map_array(c->bpf->maps.slots, sizeof(struct lt_slot), LT_MAX_SLOTS, PROT_READ | PROT_WRITE,
			     &c->slots_size);
	c->counters = map_array(c->bpf->maps.counters, sizeof(uint64_t), LT_CNT_MAX, PROT_READ, &c->counters_size);
	return c->sites && c->slots && c->counters ? 0 : -errno;
}

struct collector *collector__new(struct leaktrace_bpf *bpf, struct images *images, const struct collector_options *o,
				 struct err *e)
{
	struct collector *c = calloc(1, sizeof(*c));
	int err = c ? 0 : -ENOMEM;

	if (!err) {
		c->bpf = bpf;
		c->images = images;
		c->options = *o;
		collector__begin(c);
		c->bins = calloc(collector__n_sites(c), LT_BIRTH_COUNTERS * sizeof(*c->bins));
		err = c->bins ? stacks__init(&c->stacks, collector__n_sites(c), o->tables) : -ENOMEM;
	}
	if (!err)
		err = map_counters(c);
	if (!err) {
		c->ring = ring_buffer__new(bpf_map__fd(bpf->maps.ring), on_record, c, NULL);
		err = c->ring ? 0 : -errno;
	}
	if (!err && o->on_block)
		err = ring_buffer__add(c->ring, bpf_map__fd(bpf->maps.events), on_event_record, c);
	if (!err)
		return c;
	err__set(e, err, "cannot set up the connection to the kernel: %s", strerror(-err));
	collector__free(c);
	return NULL;
}

void collector__free(struct collector *c)
{
	if (!c)
		return;
	ring_buffer__free(c->ring);
	if (c->sites)
		munmap(c->sites, c->sites_size);
	if (c->slots)
		munmap(c->slots, c->slots_size);
	if (c->counters)
		munmap(c->counters, c->counters_size);
	stacks__free(&c->stacks);
	vec__free(&c->site_readings);
	vec__free(&c->image_readings);
	free(c->bins);
	free(c);
}

void collector__begin(struct collector *c)
{
	birth__init(&c->birth, clock__mono_ns());
}

int collector__watch(struct collector *c, pid_t pid)
{
	const struct image *img = images__running(c->images, pid);
	struct lt_target target = {
		.space = img ? img->space : LT_NO_SPACE,
		.exec_id = img ? img->exec_id : 0,
	};
	uint32_t key = (uint32_t)pid;

	if (bpf_map__update_elem(c->bpf->maps.targets, &key, sizeof(key), &target, sizeof(target), BPF_ANY))
		return -errno;
	return 0;
}

void collector__freeze(struct collector *c)
{
	__atomic_store_n(&c->bpf->bss->state.frozen, 1, __ATOMIC_RELEASE);
	usleep(20000);
}

int collector__fd(const struct collector *c)
{
	return ring_buffer__epoll_fd(c->ring);
}
