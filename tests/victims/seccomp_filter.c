/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * seccomp_filter [KILL [LATE]]: a system call filter as a container's: calls that it does not list are denied, or kill
 * the process. Installed before READY, or after it, between two halves of the work. Three threads have it, too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "crew.h"
#include "family.h"

/* uretprobe and uprobe, which the kernel makes a probed process call, are the first of these; none is needed here. */
#define FIRST_UNLISTED 335

static long kills, late;

static void install(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_UNLISTED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, kills ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof(insns) / sizeof(insns[0]), .filter = insns};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter))
		abort();
}

static void half(size_t size)
{
	size_t i;

	for (i = 0; i < 100; i++) {
		struct kept k = by_malloc(size + i), z = by_calloc(2, size);

		by_realloc(&k, 2 * size + i);
		by_posix_memalign(64, size);
		if (i % 4)
			by_free(&k);
		by_free(&z);
	}
}

static pthread_barrier_t filtered;

static void work(int index)
{
	half(100);
	if (!index && late)
		install();
	pthread_barrier_wait(&filtered);
	half(1000);
}

int main(int argc, char **argv)
{
	kills = victim__arg(argc, argv, 1, 0);
	late = victim__arg(argc, argv, 2, 0);
	pthread_barrier_init(&filtered, NULL, 4);
	crew__start(4, work);
	if (!late)
		install();
	victim__ready(argc, argv);
	crew__run();
	return victim__truth();
}
