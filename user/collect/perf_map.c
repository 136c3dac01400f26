/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/interned.h"
#include "base/log.h"
#include "collect/perf_map.h"
#include "collect/ranges.h"
#include "select/lookup_root.h"
#include "select/process_info.h"

#define MAX_BYTES     (64u << 20) /* of a file */
#define MAX_FUNCTIONS (1u << 20)
#define MAX_LINE      4096 /* of a longer line, only so much is looked at */
#define CHUNK	      65536
/* The kernel tells the time of boot, from which processes count theirs, in whole seconds, and clocks are corrected. */
#define CLOCK_SLACK_S 2

struct perf_map {
	pid_t pid;
	double start_time; /* of the process, seconds since the epoch */
	int root_fd;	   /* the target's root; -1 unknown */
	struct process_ids ids;
	/* The file, as last seen. */
	dev_t dev;
	ino_t ino;
	uint64_t read; /* bytes of it */
	/* Its last line, which may not be finished: without NUL, and cut. */
	char line[MAX_LINE];
	size_t line_len;
	/* What it says. */
	struct ranges functions; /* ref: where the name is in names */
	VEC(struct range) fresh; /* read, but not yet among functions */
	char *names;		 /* each ends with NUL */
	size_t names_len, names_cap;
	struct interned asked_for;
	bool refused; /* that was said */
};

struct perf_map *perf_map__new(pid_t pid)
{
	struct perf_map *m = calloc(1, sizeof(*m));
	struct process_info info;

	if (!m)
		return NULL;
	m->pid = pid;
	m->root_fd = -1;
	if (!process_info__read(pid, &info))
		m->start_time = info.start_time;
	return m;
}

static void forget(struct perf_map *m)
{
	ranges__free(&m->functions);
	vec__free(&m->fresh);
	free(m->names);
	m->names = NULL;
	m->names_len = m->names_cap = 0;
	m->read = 0;
	m->line_len = 0;
}

void perf_map__free(struct perf_map *m)
{
	if (!m)
		return;
	forget(m);
	interned__free(&m->asked_for);
	cleanup__close(&m->root_fd);
	free(m);
}

/* It may change its root and its user. When it is ending, the last answers hold. */
static void look_at_process(struct perf_map *m)
{
	struct process_ids ids;
	char path[64];
	int fd;

	if (!process_info__ids(m->pid, &ids))
		m->ids = ids;
	snprintf(path, sizeof(path), "/proc/%d/root", m->pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	cleanup__close(&m->root_fd);
	m->root_fd = fd;
}

/* Why the file must not be believed, or NULL. */
static const char *fault(const struct perf_map *m, const struct stat *st)
{
	if (st->st_uid && st->st_uid != m->ids.uid && st->st_uid != m->ids.euid)
		return "belongs to another user";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "can be written by others";
	if ((double)st->st_mtime + CLOCK_SLACK_S < m->start_time)
		return "was left by an earlier process";
	return NULL;
}

static int open_file_of(struct perf_map *m, pid_t pid, struct stat *st)
{
	__cleanup_close int fd = -1;
	const char *why;
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	fd = lookup_root__open_itself(m->root_fd, path);
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		why = "cannot be opened, or is no file";
	else if (fstat(fd, st))
		return -errno;
	else
		why = fault(m, st);
	if (!why)
		return steal_fd(&fd);
	if (!m->refused)
		log__info("process %d: its %s %s: code made at run time stays without names", m->pid, path, why);
	m->refused = true;
	return -EPERM;
}

static int open_file(struct perf_map *m, struct stat *st)
{
	int fd = -ENOENT;

	look_at_process(m);
	if (m->root_fd < 0)
		return -ENOENT;
	if (m->ids.own_pid > 0)
		fd = open_file_of(m, m->ids.own_pid, st);
	if (fd < 0 && m->ids.own_pid != m->pid)
		fd = open_file_of(m, m->pid, st);
	return fd;
}

/* A hexadecimal number and the blanks after it; strtoull() alone would take blanks and a sign before it, too. */
static bool parse_number(const char **at, uint64_t *out)
{
	char *end;

	if (!isxdigit((unsigned char)**at))
		return false;
	errno = 0;
	*out = strtoull(*at, &end, 16);
	if (errno || (*end != ' ' && *end != '\t'))
		return false;
	*at = end + strspn(end, " \t");
	return true;
}

/* Where in names the name is now, or -ENOMEM. */
static int64_t keep_name(struct perf_map *m, const char *name)
{
	size_t size = strlen(name) + 1, at = m->names_len;
	size_t cap = m->names_cap ? m->names_cap : CHUNK;
	char *names;

	while (cap < at + size)
		cap *= 2;
	if (cap > m->names_cap) {
		names = realloc(m->names, cap);
		if (!names)
			return -ENOMEM;
		m->names = names;
		m->names_cap = cap;
	}
	memcpy(m->names + at, name, size);
	m->names_len += size;
	return (int64_t)at;
}

/* The line that is complete now. One that makes no sense is left out. */
static int take_line(struct perf_map *m)
{
	const char *at = m->line;
	uint64_t start, size;
	struct range *r;
	int64_t name;

	m->line[m->line_len] = '\0';
	m->line_len = 0;
	if (!parse_number(&at, &start) || !parse_number(&at, &size) || !*at || start + size <= start)
		return 0;
	if (m->functions.list.n + m->fresh.n >= MAX_FUNCTIONS)
		return -E2BIG;
	name = keep_name(m, at);
	r = name < 0 ? NULL : vec__add(&m->fresh);
	if (!r)
		return -ENOMEM;
	*r = (struct range){.lo = start, .hi = start + size, .start = start, .ref = (uint64_t)name};
	return 0;
}

static int take_bytes(struct perf_map *m, const char *bytes, size_t n)
{
	size_t i;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		if (bytes[i] == '\n')
			err = take_line(m);
		else if (m->line_len < sizeof(m->line) - 1)
			m->line[m->line_len++] = bytes[i];
	}
	return err;
}

static int read_more(struct perf_map *m, int fd)
{
	char chunk[CHUNK];
	ssize_t n = 0;
	int err = 0;

	while (!err && m->read < MAX_BYTES && (n = pread(fd, chunk, sizeof(chunk), (off_t)m->read)) > 0) {
		m->read += (uint64_t)n;
		err = take_bytes(m, chunk, (size_t)n);
	}
	return n < 0 ? -errno : err;
}

void perf_map__refresh(struct perf_map *m)
{
	struct stat st;
	__cleanup_close int fd = open_file(m, &st);
	int err;

	if (fd < 0)
		return;
	if (st.st_dev != m->dev || st.st_ino != m->ino || (uint64_t)st.st_size < m->read)
		forget(m);
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	if ((uint64_t)st.st_size == m->read)
		return;
	err = read_more(m, fd);
	if (m->fresh.n)
		err = ranges__put(&m->functions, m->fresh.at, m->fresh.n) ?: err;
	vec__free(&m->fresh);
	log__debug("process %d: perf map: %" PRIu64 " bytes read, %zu functions%s%s", m->pid, m->read,
		   m->functions.list.n, err ? ": " : "", err ? strerror(-err) : "");
}

const char *perf_map__find(struct perf_map *m, uint64_t address, uint64_t *start)
{
	const struct range *r = ranges__find(&m->functions, address);

	if (!r)
		return NULL;
	*start = r->start;
	return interned__safe(&m->asked_for, m->names + r->ref);
}
