/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "maps.h"

static int intern(struct maps *m, const char *path)
{
	char **slot;

	for (size_t i = 0; i < m->paths.n; i++) {
		if (!strcmp(m->paths.at[i], path))
			return (int)i;
	}
	slot = vec__add(&m->paths);
	if (slot)
		*slot = strdup(path);
	if (!slot || !*slot)
		abort();
	return (int)m->paths.n - 1;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9ddfea08eb382d69ull;
	return h ^ h >> 32;
}

static void add(struct maps *m, const char *line)
{
	unsigned long start, end, offset;
	struct exec_map *map;
	char perms[8];
	int at = 0;

	if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &start, &end, perms, &offset, &at) != 4 || !at ||
	    perms[2] != 'x')
		return;
	if (!strcmp(line + at, "[uprobes]")) {
		m->uprobes = start;
		return;
	}
	map = vec__add(&m->all);
	if (!map)
		abort();
	*map = (struct exec_map){.start = start, .end = end, .offset = offset, .path = -1};
	if (line[at] != '/')
		return;
	map->path = intern(m, line + at);
	m->files = mix(mix(mix(m->files, start), end), offset << 16 | (uint64_t)map->path);
}

int maps__read(struct maps *m, pid_t pid)
{
	__cleanup_fclose FILE *file = NULL;
	__cleanup_free char *line = NULL;
	char path[64];
	size_t size = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	m->all.n = 0;
	m->files = 0;
	while ((n = getline(&line, &size, file)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		add(m, line);
	}
	return 0;
}

const struct exec_map *maps__find(const struct maps *m, uint64_t pc)
{
	size_t low = 0, high = m->all.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->all.at[mid].end <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->all.n && m->all.at[low].start <= pc ? &m->all.at[low] : NULL;
}

void maps__free(struct maps *m)
{
	char **path;

	vec__each (&m->paths, path)
		free(*path);
	vec__free(&m->paths);
	vec__free(&m->all);
}
