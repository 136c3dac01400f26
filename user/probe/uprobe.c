/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "probe/uprobe.h"

/* From include/uapi/linux/bpf.h of Linux 6.18; the packaged headers may be older. The values are kernel ABI. */
#define CMD_LINK_CREATE		   28
#define ATTACH_TYPE_PERF_EVENT	   41
#define ATTACH_TYPE_UPROBE_MULTI   48
#define ATTACH_TYPE_UPROBE_SESSION 57
#define UPROBE_MULTI_F_RETURN	   1u

struct link_create {
	uint32_t prog_fd, target_fd, attach_type, flags;
	union {
		struct {
			uint64_t path, offsets, ref_ctr_offsets, cookies;
			uint32_t cnt, flags, pid, pad;
		} uprobe_multi;
		uint64_t perf_event_cookie;
	};
};

#define UPROBE_PMU "/sys/bus/event_source/devices/uprobe/"

int uprobe__attach_type(enum attach_path path)
{
	switch (path) {
	case ATTACH_SESSION:
		return ATTACH_TYPE_UPROBE_SESSION;
	case ATTACH_MULTI:
		return ATTACH_TYPE_UPROBE_MULTI;
	default:
		return 0;
	}
}

static int add_link(struct link_create *attr, struct uprobe_links *links)
{
	int *fd = vec__add(&links->fds);
	long got;

	if (!fd)
		return -ENOMEM;
	got = syscall(SYS_bpf, CMD_LINK_CREATE, attr, sizeof(*attr));
	if (got < 0) {
		links->fds.n--;
		return -errno;
	}
	*fd = (int)got;
	return 0;
}

static int attach_multi(const struct uprobe *u, const char *path, struct uprobe_links *links)
{
	struct link_create attr = {
		.prog_fd = (uint32_t)u->prog_fd,
		.attach_type = (uint32_t)uprobe__attach_type(u->path),
		.uprobe_multi.path = (uintptr_t)path,
		.uprobe_multi.offsets = (uintptr_t)u->offsets,
		.uprobe_multi.cookies = (uintptr_t)u->cookies,
		.uprobe_multi.cnt = u->n,
		.uprobe_multi.flags = u->at_return ? UPROBE_MULTI_F_RETURN : 0,
		.uprobe_multi.pid = (uint32_t)u->pid,
	};

	return add_link(&attr, links);
}

/* A number in a file of the perf uprobe unit, as scanf reads it. */
static int read_pmu(const char *file, const char *format, unsigned int *value)
{
	__cleanup_fclose FILE *f = fopen(file, "re");

	if (!f)
		return -errno;
	return fscanf(f, format, value) == 1 ? 0 : -EINVAL;
}

/* The link holds the event, and the event is enabled as it is opened. */
static int attach_perf(const struct uprobe *u, const char *path, uint32_t i, unsigned int type, unsigned int return_bit,
		       struct uprobe_links *links)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = type,
		.config = u->at_return ? 1ull << return_bit : 0,
		.uprobe_path = (uintptr_t)path,
		.probe_offset = u->offsets[i],
	};
	__cleanup_close int event = (int)syscall(SYS_perf_event_open, &attr, u->pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	struct link_create link = {
		.prog_fd = (uint32_t)u->prog_fd,
		.target_fd = (uint32_t)event,
		.attach_type = ATTACH_TYPE_PERF_EVENT,
		.perf_event_cookie = u->cookies[i],
	};

	return event < 0 ? -errno : add_link(&link, links);
}

int uprobe__attach(const struct uprobe *u, struct uprobe_links *links)
{
	unsigned int type, return_bit;
	char path[64];
	uint32_t i;
	int err;

	if (!u->n)
		return 0;
	/* The kernel takes a path, and this one names the very file that the target has mapped. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", u->file_fd);
	if (u->path != ATTACH_PERF)
		return attach_multi(u, path, links);
	err = read_pmu(UPROBE_PMU "type", "%u", &type);
	if (!err)
		err = read_pmu(UPROBE_PMU "format/retprobe", "config:%u", &return_bit);
	for (i = 0; i < u->n && !err; i++)
		err = attach_perf(u, path, i, type, return_bit, links);
	return err;
}

int uprobe_places__add(struct uprobe_places *p, uint64_t offset, uint64_t cookie)
{
	uint64_t *o = vec__add(&p->offsets), *c = vec__add(&p->cookies);

	if (!o || !c)
		return -ENOMEM;
	*o = offset;
	*c = cookie;
	return 0;
}

void uprobe_places__free(struct uprobe_places *p)
{
	vec__free(&p->offsets);
	vec__free(&p->cookies);
}

void uprobe_links__move(struct uprobe_links *links, struct uprobe_links *from)
{
	int *fd;

	while (from->fds.n && (fd = vec__add(&links->fds)))
		*fd = from->fds.at[--from->fds.n];
}

#define CLOSERS 32

/* One of some threads that close links: every n-th of the list. */
struct closer {
	const struct uprobe_links *links;
	size_t first, step;
	pthread_t thread;
	bool started;
};

static void *close_some(void *arg)
{
	const struct closer *c = arg;
	size_t i;

	for (i = c->first; i < c->links->fds.n; i += c->step)
		close(c->links->fds.at[i]);
	return NULL;
}

/*
 * Each takes the kernel some tens of milliseconds, of which most is waiting for other processors to have let go of the
 * probe (uprobe_unregister_sync()). They wait for the same thing, so they may as well wait at the same time.
 */
void uprobe_links__close(struct uprobe_links *links)
{
	struct closer closers[CLOSERS] = {};
	size_t n = links->fds.n < CLOSERS ? links->fds.n : CLOSERS, i;

	for (i = 0; i < n; i++) {
		closers[i] = (struct closer){.links = links, .first = i, .step = n};
		/* The last share is this thread's, and those for which there is no thread. */
		closers[i].started = i + 1 < n && !pthread_create(&closers[i].thread, NULL, close_some, &closers[i]);
	}
	for (i = 0; i < n; i++) {
		if (!closers[i].started)
			close_some(&closers[i]);
	}
	for (i = 0; i < n; i++) {
		if (closers[i].started)
			pthread_join(closers[i].thread, NULL);
	}
	vec__free(&links->fds);
}
