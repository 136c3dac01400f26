/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "probe/attach_path.h"
#include "probe/privilege.h"
#include "probe/trial.h"

static const char *const names[] = {"session", "multi", "perf"};

const char *attach_path__name(enum attach_path path)
{
	return path < ATTACH_NONE ? names[path] : "none";
}

enum attach_path attach_path__parse(const char *name)
{
	int i;

	for (i = 0; i < ATTACH_NONE; i++) {
		if (!strcmp(names[i], name))
			return (enum attach_path)i;
	}
	return ATTACH_NONE;
}

static void *call(void *arg)
{
	trial__emulated();
	return arg;
}

static int call_from_thread(void)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, call, NULL);

	return err ? -err : -pthread_join(thread, NULL);
}

/* Cookies: they must reach the program. A session has one for both, and hits twice. */
enum { ENTRY, RETURN, N_COOKIES };

static int try_with(struct trial *t, enum attach_path path)
{
	uint64_t entries = path == ATTACH_SESSION ? 2 : 1, returns = path == ATTACH_SESSION ? 0 : 1;
	int err = trial__begin(t, path, TRIAL_COUNTS, N_COOKIES);

	if (!err)
		err = trial__attach(t, trial__emulated, getpid(), false, ENTRY);
	if (!err && path != ATTACH_SESSION)
		err = trial__attach(t, trial__emulated, getpid(), true, RETURN);
	if (!err)
		err = call_from_thread();
	if (err)
		return err;
	return trial__hits(t, ENTRY) == entries && trial__hits(t, RETURN) == returns ? 0 : -EBADE;
}

static const char *const needed[] = {
	[ATTACH_SESSION] = "it came with Linux 6.13",
	[ATTACH_MULTI] = "it came with Linux 6.6",
	[ATTACH_PERF] = "it needs Linux 5.15 or newer and CONFIG_UPROBE_EVENTS",
};

int attach_path__try(enum attach_path path, struct err *why)
{
	struct trial t;
	int err = privilege__check_path(path, why);

	if (err)
		return err;
	err = try_with(&t, path);
	trial__end(&t);
	if (err == -EBADE)
		return err__set(why, err, "its probes miss calls of other threads, or have no cookies, on this kernel");
	/* EINVAL is the answer to a type of link or to a helper that the kernel does not know. */
	if (err == -EINVAL || err == -ENOENT)
		return err__set(why, err, "the kernel does not know it (%s); %s", strerror(-err), needed[path]);
	return err ? err__set(why, err, "%s", strerror(-err)) : 0;
}

enum attach_path attach_path__choose(enum attach_path forced, struct err *e)
{
	struct err why = {};
	int path, err = 0;

	for (path = ATTACH_SESSION; path < ATTACH_NONE; path++) {
		if (forced != ATTACH_NONE && forced != (enum attach_path)path)
			continue;
		err = attach_path__try((enum attach_path)path, &why);
		if (!err)
			return (enum attach_path)path;
		log__info("attach path %s does not work here: %s", names[path], why.text);
	}
	if (err == -EPERM) {
		*e = why;
		return ATTACH_NONE;
	}
	err__set(e, err, "the kernel offers no way to attach uprobes%s%s: %s; run leaktrace doctor to see what it has",
		 forced == ATTACH_NONE ? "" : " by the path ", forced == ATTACH_NONE ? "" : names[forced], why.text);
	return ATTACH_NONE;
}
