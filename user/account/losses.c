/* SPDX-License-Identifier: GPL-2.0-only */
#include "account/losses.h"

#define LOSS(field) .name = #field, .offset = offsetof(struct losses, field)

const struct loss_kind loss_kinds[] = {
	{LOSS(bytes_not_tracked), .changes_answer = true, .is_bytes = true, .words = "size of the blocks not tracked"},
	{LOSS(blocks_not_tracked), .changes_answer = true, .words = "blocks not tracked, no room in the block map",
	 .remedy = "raise --max-blocks"},
	{LOSS(sites_merged), .changes_answer = true,
	 .words = "allocations counted without a call stack, too many sites", .remedy = "raise --max-sites"},
	{LOSS(stacks_lost), .changes_answer = true, .words = "sites whose call stack was lost on the way",
	 .remedy = "trace again while the machine is less busy, or fewer processes at once"},
	{LOSS(probe_misses), .changes_answer = true, .words = "calls not seen, the kernel skipped the probe",
	 .remedy = "stop other tracers on this host and trace again"},
	{LOSS(returns_unmatched), .changes_answer = true, .words = "calls whose return was not matched",
	 .remedy = "live bytes are too low by what these returned; nothing to set"},
	{LOSS(returns_unsafe), .changes_answer = true,
	 .words = "calls on an alternate signal stack let go, to not harm the target",
	 .remedy = "live bytes are too low by what these returned; nothing to set"},
	{LOSS(returns_omitted), .changes_answer = true,
	 .words = "calls whose return the kernel did not watch, 64 are in one thread",
	 .remedy = "stop the other tracer that has return probes in this process"},
	{LOSS(frees_missed), .changes_answer = true, .words = "frees not seen, the address was handed out again",
	 .remedy = "most likely a function that frees is not hooked, see \"not hooked\""},
	{LOSS(reads_failed), .changes_answer = true, .words = "reads of the target's memory that failed",
	 .remedy = "blocks or callers are missing; nothing to set, trace again"},
	{LOSS(leaders_gone), .changes_answer = true,
	 .words = "processes whose first thread ended, and their probes with it",
	 .remedy = "what their other threads did since is missing; a newer kernel keeps the probes"},
	{LOSS(tasks_untracked), .changes_answer = true, .words = "calls of threads that could not be tracked",
	 .remedy = "the kernel had no memory for their state; free some, or trace fewer processes"},
	{LOSS(processes_untracked), .changes_answer = true, .words = "calls of processes beyond the limit",
	 .remedy = "trace fewer processes at once"},
	{LOSS(records_dropped), .words = "records that did not fit into the ring buffer",
	 .remedy = "details of these are missing, sums are not affected"},
	{LOSS(stacks_truncated), .words = "call stacks cut short",
	 .remedy = "each says where and why; what it shows of callers is right"},
	{LOSS(floors_missed), .words = "floor updates given up under contention",
	 .remedy = "a floor may be shown too high; trust \"rising\" less where these are many"},
	{LOSS(events_dropped), .words = "events of -t not printed, too many at once",
	 .remedy = "sums are not affected; -z and -Z leave out sizes"},
};

const unsigned int n_loss_kinds = sizeof(loss_kinds) / sizeof(loss_kinds[0]);

/* A counter added to struct losses without a row here would be lost without a word. */
_Static_assert(sizeof(loss_kinds) / sizeof(loss_kinds[0]) == sizeof(struct losses) / sizeof(uint64_t),
	       "every counter of struct losses needs a row");

uint64_t loss_kind__count(const struct loss_kind *k, const struct losses *l)
{
	return *(const uint64_t *)((const char *)l + k->offset);
}

bool losses__any(const struct losses *l)
{
	for (unsigned int i = 0; i < n_loss_kinds; i++)
		if (loss_kind__count(&loss_kinds[i], l))
			return true;
	return false;
}

bool losses__change_answer(const struct losses *l)
{
	for (unsigned int i = 0; i < n_loss_kinds; i++)
		if (loss_kinds[i].changes_answer && loss_kind__count(&loss_kinds[i], l))
			return true;
	return false;
}
