/* SPDX-License-Identifier: GPL-2.0-only */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/log.h"
#include "symbolize/debuginfod.h"

/* From elfutils/debuginfod.h, which is in a package of its own that is not worth depending on. */
struct client {
	void *(*begin)(void);
	int (*find)(void *client, const unsigned char *build_id, int len, char **path);
	void (*end)(void *client);
};

static int load(struct client *c)
{
	/* Never unloaded: it starts libcurl, which must not be initialised twice. */
	void *lib = dlopen("libdebuginfod.so.1", RTLD_NOW);

	if (!lib)
		return -ENOENT;
	*(void **)&c->begin = dlsym(lib, "debuginfod_begin");
	*(void **)&c->find = dlsym(lib, "debuginfod_find_debuginfo");
	*(void **)&c->end = dlsym(lib, "debuginfod_end");
	return c->begin && c->find && c->end ? 0 : -ENOENT;
}

int debuginfod__find(const uint8_t *build_id, size_t len)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct client c;
	void *client;
	int fd;

	if (!urls || !urls[0])
		return -ENOENT;
	if (len > INT_MAX || load(&c)) {
		log__info("DEBUGINFOD_URLS is set, but libdebuginfod is not installed");
		return -ENOENT;
	}
	client = c.begin();
	if (!client)
		return -ENOMEM;
	fd = c.find(client, build_id, (int)len, NULL);
	c.end(client);
	return fd;
}
