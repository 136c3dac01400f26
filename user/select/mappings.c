/* SPDX-License-Identifier: GPL-2.0-only */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "select/mappings.h"
#include "select/untrusted_elf.h"
#include "select/vdso.h"

#define MAX_NOTES (1 << 20)
#define MAX_VDSOS 8 /* a target that keeps changing its own gets no more modules than these */

struct module_table {
	VEC(struct module *) list;
};

struct module_table *module_table__new(void)
{
	return calloc(1, sizeof(struct module_table));
}

static void module__free(struct module *m)
{
	if (m->fd >= 0)
		close(m->fd);
	if (m->root_fd >= 0)
		close(m->root_fd);
	free(m->path);
	free(m);
}

void module_table__free(struct module_table *t)
{
	struct module **m;

	if (!t)
		return;
	vec__each (&t->list, m)
		module__free(*m);
	vec__free(&t->list);
	free(t);
}

char *module__build_id_hex(const struct module *m, char *buf, size_t size)
{
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < m->build_id_len && 2 * i + 2 < size; i++)
		sprintf(buf + 2 * i, "%02x", m->build_id[i]);
	return buf;
}

bool module__strip_deleted(char *path)
{
	static const char suffix[] = " (deleted)";
	size_t len = strlen(path), n = sizeof(suffix) - 1;

	if (len < n || strcmp(path + len - n, suffix))
		return false;
	path[len - n] = '\0';
	return true;
}

const char *module__name(const struct module *m)
{
	const char *slash = strrchr(m->path, '/');

	return slash ? slash + 1 : m->path;
}

bool module__is_called(const struct module *m, const char *name)
{
	return !strcmp(name, m->path) || !strcmp(name, module__name(m));
}

/* libelf reads notes whole, and a sparse file may claim any size for them. */
static bool notes_are_small(Elf *elf)
{
	GElf_Phdr ph;
	size_t i, n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (i = 0; i < n; i++) {
		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_NOTE && ph.p_filesz > MAX_NOTES)
			return false;
	}
	return true;
}

static void read_build_id(struct module *m)
{
	const void *id;
	ssize_t len;
	Elf *elf;

	elf = untrusted_elf__begin(m->fd);
	len = elf && notes_are_small(elf) ? dwelf_elf_gnu_build_id(elf, &id) : 0;
	if (len > 0 && len <= BUILD_ID_MAX) {
		memcpy(m->build_id, id, (size_t)len);
		m->build_id_len = (size_t)len;
	}
	elf_end(elf);
}

/*
 * map_files names the mapped file itself, also when its path now leads to another one (an upgraded package); it needs
 * CAP_CHECKPOINT_RESTORE. Else the path is looked up in the target's root, and only the same inode is accepted. The
 * device is not compared: on overlayfs /proc/PID/maps shows another one than fstat().
 */
static int open_mapped(pid_t pid, const struct mapping *at, const struct module *m)
{
	__cleanup_close int fd = -1;
	char path[4200];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, at->start, at->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", pid, m->path);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_ino != m->map_ino)
		return -ESTALE;
	return steal_fd(&fd);
}

/* The kernel writes newlines in a path as \012 (fs/proc/task_mmu.c, seq_path). */
static char *unescape_path(const char *text)
{
	char *out = strdup(text), *w = out;
	const char *r;

	for (r = text; out && *r; w++) {
		if (!strncmp(r, "\\012", 4)) {
			*w = '\n';
			r += 4;
		} else {
			*w = *r++;
		}
	}
	if (out)
		*w = '\0';
	return out;
}

static struct module *module__new(pid_t pid, const struct mapping *at, const char *path, dev_t dev, ino_t ino)
{
	struct module *m = calloc(1, sizeof(*m));
	char root[64];

	if (!m)
		return NULL;
	m->fd = m->root_fd = -1;
	m->path = unescape_path(path);
	if (!m->path) {
		free(m);
		return NULL;
	}
	m->deleted = module__strip_deleted(m->path);
	m->pid = pid;
	m->map_dev = dev;
	m->map_ino = ino;
	m->fd = open_mapped(pid, at, m);
	if (m->fd < 0) {
		m->open_error = m->fd;
		m->fd = -1;
		return m;
	}
	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	m->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	read_build_id(m);
	return m;
}

static struct module *module_table__get(struct module_table *t, pid_t pid, const struct mapping *at, const char *path,
					dev_t dev, ino_t ino)
{
	struct module **known, **slot, *m;

	vec__each (&t->list, known) {
		if ((*known)->map_dev == dev && (*known)->map_ino == ino)
			return *known;
	}
	m = module__new(pid, at, path, dev, ino);
	if (!m)
		return NULL;
	slot = vec__add(&t->list);
	if (!slot) {
		module__free(m);
		return NULL;
	}
	*slot = m;
	return m;
}

static struct module *vdso_module__new(pid_t pid, const struct vdso *v)
{
	struct module *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->root_fd = -1;
	m->pid = pid;
	m->vdso = true;
	m->path = strdup("[vdso]");
	m->fd = vdso__create_file(v);
	if (!m->path || m->fd < 0) {
		module__free(m);
		return NULL;
	}
	read_build_id(m);
	return m;
}

/* NULL: its image could not be had. Then it is executable memory without a module, as any other. */
static struct module *module_table__get_vdso(struct module_table *t, pid_t pid, const struct mapping *at)
{
	__cleanup_free struct vdso *v = malloc(sizeof(*v));
	struct module **known, **slot, *m;
	unsigned int n = 0;

	if (!v || vdso__read(v, pid, at->start, at->end))
		return NULL;
	vec__each (&t->list, known) {
		if (!(*known)->vdso)
			continue;
		if (vdso__is_in_file(v, (*known)->fd))
			return *known;
		n++;
	}
	m = n < MAX_VDSOS ? vdso_module__new(pid, v) : NULL;
	slot = m ? vec__add(&t->list) : NULL;
	if (!slot) {
		if (m)
			module__free(m);
		return NULL;
	}
	*slot = m;
	return m;
}

/* One line of proc_pid_maps(5). Lines of mappings that are not executable are skipped. */
static int add_line(struct mappings *m, struct module_table *modules, pid_t pid, const char *line)
{
	struct mapping at = {}, *slot;
	unsigned int dev_major, dev_minor;
	unsigned long long ino;
	char perms[5];
	int path_at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %llu %n", &at.start, &at.end, perms, &at.offset,
		   &dev_major, &dev_minor, &ino, &path_at) < 7 ||
	    !path_at)
		return -EPROTO;
	if (perms[2] != 'x')
		return 0;
	if (ino && line[path_at] == '/') {
		at.module = module_table__get(modules, pid, &at, line + path_at, makedev(dev_major, dev_minor), ino);
		if (!at.module)
			return -ENOMEM;
	} else if (!ino && !strcmp(line + path_at, "[vdso]")) {
		at.module = module_table__get_vdso(modules, pid, &at);
		at.offset = 0;
	}
	slot = vec__add(&m->list);
	if (!slot)
		return -ENOMEM;
	*slot = at;
	return 0;
}

int mappings__refresh(struct mappings *m, struct module_table *modules, pid_t pid)
{
	__cleanup_fclose FILE *f = NULL;
	__cleanup_free char *line = NULL;
	struct mappings fresh = {};
	char path[64];
	size_t cap = 0;
	ssize_t len;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && (len = getline(&line, &cap, f)) > 0) {
		line[len - 1] = '\0';
		err = add_line(&fresh, modules, pid, line);
	}
	if (!err && ferror(f))
		err = -EIO;
	if (!err && !fresh.list.n)
		err = -ESRCH;
	if (err) {
		mappings__free(&fresh);
		return err;
	}
	mappings__free(m);
	*m = fresh;
	return 0;
}

const struct mapping *mappings__find(const struct mappings *m, uint64_t address)
{
	size_t lo = 0, hi = m->list.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct mapping *at = &m->list.at[mid];

		if (address < at->start)
			hi = mid;
		else if (address >= at->end)
			lo = mid + 1;
		else
			return at;
	}
	return NULL;
}

void mappings__free(struct mappings *m)
{
	vec__free(&m->list);
}
