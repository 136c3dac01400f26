/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <elfutils/libdwelf.h>

#include "base/cleanup.h"
#include "select/module.h"
#include "select/crc32.h"
#include "select/debug_file.h"
#include "select/debuginfod.h"
#include "select/lookup_root.h"

#define DEBUG_DIR "/usr/lib/debug"

/* What a candidate must be to be the right one. */
struct wanted {
	const uint8_t *build_id;
	size_t build_id_len; /* 0: the checksum decides */
	uint32_t crc;
	int not_fd; /* the stripped file itself: its debug link may name it */
};

static bool same_build_id(Elf *elf, const struct wanted *w)
{
	const void *id;
	ssize_t len = dwelf_elf_gnu_build_id(elf, &id);

	return len > 0 && (size_t)len == w->build_id_len && !memcmp(id, w->build_id, w->build_id_len);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Takes fd over. */
static int accept_candidate(struct debug_file *d, int fd, int root_fd, const struct wanted *w)
{
	__cleanup_close int own = fd;
	uint32_t crc;

	if (own < 0)
		return -ENOENT;
	if (same_file(own, w->not_fd))
		return -ENOENT;
	if (!w->build_id_len && (crc32__file(own, &crc) || crc != w->crc))
		return -ENOENT;
	if (elf_file__open(&d->elf, own, lookup_root__may_map(root_fd, own)))
		return -ENOENT;
	if (w->build_id_len && !same_build_id(d->elf.elf, w)) {
		elf_file__close(&d->elf);
		return -ENOENT;
	}
	d->fd = steal_fd(&own);
	d->root_fd = root_fd;
	return 0;
}

static int try_build_id(struct debug_file *d, int root_fd, const struct wanted *w)
{
	char path[sizeof(DEBUG_DIR) + 64 + BUILD_ID_MAX * 2];
	size_t i, n;

	if (w->build_id_len < 2 || w->build_id_len > BUILD_ID_MAX)
		return -ENOENT;
	n = (size_t)snprintf(path, sizeof(path), DEBUG_DIR "/.build-id/%02x/", w->build_id[0]);
	for (i = 1; i < w->build_id_len; i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%02x", w->build_id[i]);
	snprintf(path + n, sizeof(path) - n, ".debug");
	return accept_candidate(d, lookup_root__open(root_fd, path), root_fd, w);
}

static int try_debuglink(struct debug_file *d, int root_fd, const char *module_path, const char *name,
			 const struct wanted *w)
{
	static const struct {
		const char *before, *after;
	} dirs[] = {{"", "/"}, {"", "/.debug/"}, {DEBUG_DIR, "/"}};
	const char *slash = strrchr(module_path, '/');
	size_t i;

	if (module_path[0] != '/')
		return -ENOENT;
	for (i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		char path[PATH_MAX];
		int n = snprintf(path, sizeof(path), "%s%.*s%s%s", dirs[i].before, (int)(slash - module_path),
				 module_path, dirs[i].after, name);

		if (n < 0 || (size_t)n >= sizeof(path))
			continue;
		if (!accept_candidate(d, lookup_root__open(root_fd, path), root_fd, w))
			return 0;
	}
	return -ENOENT;
}

/* The roots to search, in order; returns how many. */
static unsigned int roots(const struct module *m, int out[2])
{
	unsigned int n = 0;

	if (m->root_fd >= 0 && !lookup_root__is_host(m->root_fd))
		out[n++] = m->root_fd;
	out[n++] = HOST_ROOT;
	return n;
}

int debug_file__open(struct debug_file *d, const struct module *m, const struct elf_file *main,
		     struct debuginfod *server)
{
	struct wanted by_id = {.build_id = m->build_id, .build_id_len = m->build_id_len, .not_fd = m->fd};
	struct wanted by_link = {.not_fd = m->fd};
	unsigned int i, n;
	const void *id;
	const char *name;
	int root[2];
	ssize_t len;

	*d = (struct debug_file){.fd = -1, .root_fd = HOST_ROOT};
	if (!by_id.build_id_len && (len = dwelf_elf_gnu_build_id(main->elf, &id)) > 0) {
		by_id.build_id = id;
		by_id.build_id_len = (size_t)len;
	}
	name = dwelf_elf_gnu_debuglink(main->elf, &by_link.crc);
	/* The link is a file name: with a slash in it, it would lead to places that no tool puts debug files in. */
	if (name && (!name[0] || strchr(name, '/') || strnlen(name, NAME_MAX + 1) > NAME_MAX))
		name = NULL;
	n = roots(m, root);
	for (i = 0; i < n; i++) {
		if (!try_build_id(d, root[i], &by_id))
			return 0;
		if (name && m->path && !try_debuglink(d, root[i], m->path, name, &by_link))
			return 0;
	}
	if (by_id.build_id_len)
		return accept_candidate(d, debuginfod__find(server, by_id.build_id, by_id.build_id_len), HOST_ROOT,
					&by_id);
	return -ENOENT;
}

/* An absolute name is meant below the same root; a relative one from the folder of the file that has the link. */
static int open_by_alt_name(int from_fd, int root_fd, const char *name)
{
	char self[64], path[PATH_MAX * 2], *slash;
	ssize_t n;

	if (name[0] == '/')
		return lookup_root__open(root_fd, name);
	if (strnlen(name, PATH_MAX) >= PATH_MAX)
		return -ENAMETOOLONG;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", from_fd);
	n = readlink(self, path, PATH_MAX - 1);
	if (n <= 0)
		return -ENOENT;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	snprintf(slash + 1, sizeof(path) - (size_t)(slash + 1 - path), "%s", name);
	return lookup_root__open(root_fd, path);
}

int debug_file__open_alt(struct debug_file *d, const struct module *m, int from_fd, int root_fd,
			 const struct alt_link *link, struct debuginfod *server)
{
	struct wanted w = {.build_id = link->build_id, .build_id_len = link->build_id_len, .not_fd = from_fd};
	unsigned int i, n;
	int root[2];

	*d = (struct debug_file){.fd = -1, .root_fd = HOST_ROOT};
	if (!w.build_id_len)
		return -ENOENT;
	if (!accept_candidate(d, open_by_alt_name(from_fd, root_fd, link->name), root_fd, &w))
		return 0;
	n = roots(m, root);
	for (i = 0; i < n; i++)
		if (!try_build_id(d, root[i], &w))
			return 0;
	return accept_candidate(d, debuginfod__find(server, w.build_id, w.build_id_len), HOST_ROOT, &w);
}

void debug_file__close(struct debug_file *d)
{
	elf_file__close(&d->elf);
	cleanup__close(&d->fd);
	d->fd = -1;
}
