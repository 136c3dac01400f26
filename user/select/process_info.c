/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "select/module.h"
#include "select/process_info.h"

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h; shown in field 9 of /proc/PID/stat (proc_pid_stat(5)) */

/* Read a small /proc file whole. Returns its length or a negative errno. */
static ssize_t read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
	__cleanup_close int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

static double boot_time(void)
{
	__cleanup_fclose FILE *f = fopen("/proc/stat", "re");
	unsigned long long btime = 0;
	char line[256];

	/* The line of interrupts is long, but each line that fits is looked at from its start. */
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "btime %llu", &btime) == 1)
			break;
	}
	return (double)btime;
}

static double time_of_ticks(uint64_t ticks)
{
	return boot_time() + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

double process_info__start_time(uint64_t start_boottime_ns)
{
	return time_of_ticks(start_boottime_ns / (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK)));
}

/* Its list of groups is as long as the groups are many. */
#define STATUS_SIZE 16384

/* What stands behind a name in /proc/PID/status, in buf[STATUS_SIZE]; NULL when it is not there. */
static const char *read_status(pid_t pid, const char *name, char *buf)
{
	const char *at;

	/* The file begins with another field. */
	if (read_proc(pid, "status", buf, STATUS_SIZE) < 0)
		return NULL;
	at = strstr(buf, name);
	return at ? at + strlen(name) : NULL;
}

static pid_t read_tgid(pid_t pid)
{
	char buf[STATUS_SIZE];
	const char *value = read_status(pid, "\nTgid:", buf);

	return value ? atoi(value) : -1;
}

pid_t process_info__debugger(pid_t pid)
{
	char buf[STATUS_SIZE];
	const char *value = read_status(pid, "\nTracerPid:", buf);

	return value ? atoi(value) : 0;
}

bool process_info__has_shadow_stack(pid_t pid)
{
	char buf[STATUS_SIZE];
	const char *value = read_status(pid, "\nx86_Thread_features:", buf), *end = value ? strchr(value, '\n') : NULL;
	const char *found = value ? strstr(value, "shstk") : NULL;

	return found && (!end || found < end);
}

int process_info__read(pid_t pid, struct process_info *info)
{
	char buf[2048], comm[64];
	unsigned long long ticks = 0;
	unsigned int flags = 0;
	char *open_paren, *close_paren;
	ssize_t n;

	memset(info, 0, sizeof(*info));
	n = read_proc(pid, "stat", buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	/* The name may hold anything, also ") R 1": it ends at the last parenthesis. */
	open_paren = strchr(buf, '(');
	close_paren = strrchr(buf, ')');
	if (!open_paren || !close_paren || close_paren < open_paren)
		return -EPROTO;
	*close_paren = '\0';
	snprintf(comm, sizeof(comm), "%s", open_paren + 1);
	text__safe(info->comm, sizeof(info->comm), comm);
	if (sscanf(close_paren + 1, " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
		   &info->state, &flags, &info->n_threads, &ticks) != 4)
		return -EPROTO;
	info->pid = pid;
	info->tgid = read_tgid(pid);
	info->kernel_thread = flags & PF_KTHREAD;
	info->start_ticks = ticks;
	info->start_time = time_of_ticks(ticks);
	return info->tgid < 0 ? -ESRCH : 0;
}

int process_info__ids(pid_t pid, struct process_ids *ids)
{
	char buf[4096], *line;
	unsigned int uid, euid;
	ssize_t n = read_proc(pid, "status", buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	line = strstr(buf, "\nUid:");
	if (!line || sscanf(line + 5, "%u %u", &uid, &euid) != 2)
		return -EPROTO;
	ids->uid = uid;
	ids->euid = euid;
	/* One number for each namespace, ours first (proc_pid_status(5)); groups by the hundred may push it out of buf.
	 */
	line = strstr(buf, "\nNSpid:");
	ids->own_pid = pid;
	if (line) {
		line += strlen("\nNSpid:");
		line[strcspn(line, "\n")] = '\0';
		line = strrchr(line, '\t');
	}
	if (line)
		ids->own_pid = atoi(line);
	return 0;
}

char *process_info__exe(pid_t pid)
{
	char path[64], link[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return NULL;
	link[n] = '\0';
	module__strip_deleted(link);
	return text__safe_dup(link);
}

char *process_info__cgroup(pid_t pid)
{
	char buf[8192];
	char *line, *save = NULL, *best = NULL;

	if (read_proc(pid, "cgroup", buf, sizeof(buf)) < 0)
		return NULL;
	/* cgroups(7): "0::/path" is v2; a v1 line names its controllers between the colons. */
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		if (!strncmp(line, "0:", 2) && !best)
			best = path;
		if (strstr(controllers + 1, "memory"))
			best = path;
	}
	return best ? text__safe_dup(best) : NULL;
}

int64_t process_info__rss(pid_t pid)
{
	char buf[256];
	long long total, resident;

	if (read_proc(pid, "statm", buf, sizeof(buf)) < 0 || sscanf(buf, "%lld %lld", &total, &resident) != 2)
		return -1;
	return resident * sysconf(_SC_PAGESIZE);
}
