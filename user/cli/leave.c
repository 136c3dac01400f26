/* SPDX-License-Identifier: GPL-2.0-only */
#include <poll.h>

#include "base/log.h"
#include "cli/leave.h"
#include "probe/debugger.h"

#define LOOK_MS 100

/* A process that must not be left now, and its debugger in *by; 0: there is none. */
static pid_t find_debugged(struct session *s, pid_t *by)
{
	struct image **img;

	vec__each (&s->images.list, img) {
		pid_t pid = (*img)->pid;

		if ((*img)->end != IMAGE_RUNS || !s->loaders || !loader_watches__has(s->loaders, pid))
			continue;
		*by = debugger__of(pid);
		if (*by)
			return pid;
	}
	return 0;
}

void leave__wait(struct session *s, int signals)
{
	struct pollfd p = {.fd = signals, .events = POLLIN};
	pid_t pid, by, told = 0;

	while (!s->options->debuggers_are_harmless && (pid = find_debugged(s, &by))) {
		if (pid != told)
			log__warn("process %d is being debugged by process %d, which came after leaktrace: to take the "
				  "probes "
				  "away before the debugger leaves would kill the process later. Waiting for the "
				  "debugger "
				  "to leave; Ctrl-C leaves at once",
				  pid, by);
		told = pid;
		if (poll(&p, 1, LOOK_MS) > 0)
			return;
	}
}
