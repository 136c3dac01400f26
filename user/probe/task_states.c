/* SPDX-License-Identifier: GPL-2.0-only */
#include "abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "leaktrace.skel.h"
#include "probe/task_states.h"

/* The iterator runs while it is read, and prints nothing. */
static int run_iterator(const struct bpf_link *link)
{
	__cleanup_close int fd = bpf_iter_create(bpf_link__fd(link));
	ssize_t n = -1;
	char buf[64];

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf, sizeof(buf))) > 0 || (n < 0 && errno == EAGAIN))
		;
	return n < 0 ? -errno : 0;
}

void task_states__make(struct leaktrace_bpf *bpf)
{
	struct bpf_link *link = bpf_program__attach_iter(bpf->progs.make_state, NULL);
	int err = link ? run_iterator(link) : -errno;

	if (err)
		log__info("the states of threads are made at their first hit only: %s", strerror(-err));
	bpf_link__destroy(link);
}
