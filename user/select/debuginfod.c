/* SPDX-License-Identifier: GPL-2.0-only */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "select/debuginfod.h"

#define LIBRARY "libdebuginfod.so.1"

/* From elfutils/debuginfod.h, which is in a package of its own that is not worth depending on. */
struct library {
	void *(*begin)(void);
	void (*set_user_data)(void *client, void *data);
	void (*set_progressfn)(void *client, int (*fn)(void *client, long a, long b));
	int (*find)(void *client, const unsigned char *build_id, int len, char **path);
	void (*end)(void *client);
};

struct debuginfod {
	bool is_started; /* or that was tried */
	struct library lib;
	void *client;	  /* NULL: none to be had */
	uint64_t left_ns; /* that may still be waited */
	uint64_t deadline_ns;
};

struct debuginfod *debuginfod__new(uint64_t wait_ns)
{
	struct debuginfod *d = calloc(1, sizeof(*d));

	if (d)
		d->left_ns = wait_ns;
	return d;
}

void debuginfod__free(struct debuginfod *d)
{
	if (d && d->client)
		d->lib.end(d->client);
	free(d);
}

/* Called about once a second while the client waits, which gives up when the answer is not 0. */
static int is_late(void *client, long a, long b)
{
	void *(*get_user_data)(void *client);
	const struct debuginfod *d;
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_NOLOAD);

	(void)a;
	(void)b;
	if (!lib)
		return 1;
	/* It was there when the client was made. */
	*(void **)&get_user_data = dlsym(lib, "debuginfod_get_user_data");
	d = get_user_data(client);
	dlclose(lib);
	return clock__mono_ns() >= d->deadline_ns;
}

static int load(struct library *l)
{
	/* Never unloaded: it starts libcurl, which must not be initialised twice. */
	void *lib = dlopen(LIBRARY, RTLD_NOW);

	if (!lib)
		return -ENOENT;
	*(void **)&l->begin = dlsym(lib, "debuginfod_begin");
	*(void **)&l->set_user_data = dlsym(lib, "debuginfod_set_user_data");
	*(void **)&l->set_progressfn = dlsym(lib, "debuginfod_set_progressfn");
	*(void **)&l->find = dlsym(lib, "debuginfod_find_debuginfo");
	*(void **)&l->end = dlsym(lib, "debuginfod_end");
	return l->begin && l->set_user_data && l->set_progressfn && l->find && l->end &&
			       dlsym(lib, "debuginfod_get_user_data")
		       ? 0
		       : -ENOENT;
}

static void start_client(struct debuginfod *d)
{
	d->is_started = true;
	if (load(&d->lib)) {
		log__info("DEBUGINFOD_URLS is set, but libdebuginfod is not installed");
		return;
	}
	d->client = d->lib.begin();
	if (!d->client)
		return;
	/* Its own limit of time is for silence only: a server that sends a byte now and then could hold us for ever. */
	d->lib.set_user_data(d->client, d);
	d->lib.set_progressfn(d->client, is_late);
}

int debuginfod__find(struct debuginfod *d, const uint8_t *build_id, size_t len)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	uint64_t begin, spent;
	int fd;

	if (!d || !urls || !urls[0])
		return -ENOENT;
	if (!d->is_started)
		start_client(d);
	if (!d->client || !d->left_ns || len > INT_MAX)
		return -ENOENT;
	begin = clock__mono_ns();
	d->deadline_ns = begin + d->left_ns;
	fd = d->lib.find(d->client, build_id, (int)len, NULL);
	spent = clock__mono_ns() - begin;
	if (spent >= d->left_ns) {
		log__warn("the debuginfod server is slow: not asked any more; debuginfod-find(1) can fetch beforehand");
		spent = d->left_ns;
	}
	d->left_ns -= spent;
	return fd;
}
