/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * signal_unwinds [ROUNDS]: a timer interrupts four threads thousands of times a second, wherever they are: in malloc
 * and free, in the kernel's handling of a probe. Its handler walks the stack; and when the thread is known to be in a
 * function that posix_memalign() has called, by a fault (fault.h), it leaves both by a long jump.
 */
#define _GNU_SOURCE
#include <execinfo.h>
#include <setjmp.h>
#include <sys/syscall.h>
#include <time.h>

#include "crew.h"
#include "fault.h"

#define THREADS 4
#define STACK	(64 << 10)

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t may_leave;
static char altstacks[THREADS][STACK] __attribute__((aligned(64)));
static long rounds = 200, walks, frames, jumps;

static void on_timer(int sig)
{
	void *pcs[64];

	(void)sig;
	__atomic_fetch_add(&frames, backtrace(pcs, 64), __ATOMIC_RELAXED);
	__atomic_fetch_add(&walks, 1, __ATOMIC_RELAXED);
	if (!may_leave)
		return;
	may_leave = 0;
	siglongjmp(back, 1);
}

/* Inside posix_memalign(), which holds no lock here: wait for the timer to leave it. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	fault__which(info);
	may_leave = 1;
	for (;;)
		pause();
}

static void start_timer(void)
{
	struct sigevent to_me = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
	struct itimerspec often = {.it_interval.tv_nsec = 500000, .it_value.tv_nsec = 500000};
	timer_t timer;

	to_me._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &to_me, &timer) || timer_settime(timer, 0, &often, NULL))
		abort();
	(void)timer;
}

static void stop_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

SITE static void abandon(int index, int levels)
{
	if (levels) {
		abandon(index, levels - 1);
		return;
	}
	if (!sigsetjmp(back, 1)) {
		by_faulting_memalign(fault_page[index], 200);
		abort();
	}
	__atomic_fetch_add(&jumps, 1, __ATOMIC_RELAXED);
}

static void work(int index)
{
	stack_t st = {.ss_sp = altstacks[index], .ss_size = STACK};
	long i;
	int n;

	if (sigaltstack(&st, NULL))
		abort();
	start_timer();
	for (i = 0; i < rounds; i++) {
		for (n = 0; n < 20; n++) {
			struct kept k = by_malloc(100 + (size_t)n * 50), z = by_calloc(3, 50);

			by_realloc(&k, 90 + (size_t)i);
			if (n)
				by_free(&k);
			by_free(&z);
		}
		abandon(index, (int)(i % 20));
	}
	stop_signals();
}

int main(int argc, char **argv)
{
	struct sigaction timer = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
	void *pc;

	rounds = victim__arg(argc, argv, 1, rounds);
	backtrace(&pc, 1); /* loads what it needs, which allocates */
	if (sigaction(SIGRTMIN, &timer, NULL))
		abort();
	fault__setup(on_fault, altstacks[0], STACK);
	crew__start(THREADS, work);
	victim__ready(argc, argv);
	crew__run();
	book__note("walks", walks);
	book__note("frames", frames);
	book__note("jumps", jumps);
	return victim__truth();
}
