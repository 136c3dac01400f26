/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fault: a signal that arrives inside the allocator at a moment when the allocator holds no lock, every time.
 *
 * posix_memalign() stores its result last. When the place for it is a closed page the store faults: the SIGSEGV handler
 * then runs in the middle of the call, may allocate, and either opens the page and returns into the call, or leaves it
 * by a long jump.
 */
#pragma once

#include <signal.h>
#include <sys/mman.h>

#include "family.h"

#define FAULT_PAGES 8

static void **fault_page[FAULT_PAGES];

static UNUSED void fault__open(int i)
{
	if (mprotect(fault_page[i], 4096, PROT_READ | PROT_WRITE))
		abort();
}

static UNUSED void fault__close(int i)
{
	if (mprotect(fault_page[i], 4096, PROT_NONE))
		abort();
}

/* Pages are mapped closed; the handler runs on altstack, nested if it faults itself. */
static UNUSED void fault__setup(void (*handler)(int sig, siginfo_t *info, void *context), void *altstack, size_t size)
{
	stack_t st = {.ss_sp = altstack, .ss_size = size};
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	int i;

	for (i = 0; i < FAULT_PAGES; i++)
		fault_page[i] = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sigaltstack(&st, NULL) || sigaction(SIGSEGV, &sa, NULL))
		abort();
}

/* Which page faulted. Any other fault is a bug of the victim, or harm done to it. */
static UNUSED int fault__which(const siginfo_t *info)
{
	int i;

	for (i = 0; i < FAULT_PAGES; i++)
		if (info->si_addr == (void *)fault_page[i])
			return i;
	victim__say("HARM: a fault that is not one of ours\n");
	_exit(97);
}

/* posix_memalign() that stores its result at `where`, which may be a closed page. */
SITE static UNUSED void by_faulting_memalign(void **where, size_t size)
{
	int err = posix_memalign(where, 64, size);

	keep(__func__, err ? NULL : *where, size);
}
