/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a call belongs to, and the stack that it is known by. */
#include "host_calls.h"

#define SP  0x7ffd00010000ull
#define RET 0x401234ull
#define A   0xa000ull
#define B   0xb000ull
#define IP  (HOST_LOAD_BIAS + 0x1000 * (FN_MALLOC + 1))

static void mallocs(u64 size, u64 address)
{
	host__calls(FN_MALLOC, SP, RET, ARGS(size), address);
}

static void assert_sent(u16 n)
{
	const struct lt_rec_stack *rec = &host.last_stack;
	u16 i;

	assert_int_equal(rec->type, LT_REC_STACK);
	assert_int_equal(rec->slot, 0);
	assert_int_equal(rec->n, n);
	assert_int_equal(rec->end, n >= LT_MAX_FRAMES - 1 ? LT_END_DEEP : LT_END_WHOLE);
	assert_int_equal(rec->flags, LT_STACK_GUESSED);
	assert_int_equal(rec->interrupted[0] | rec->interrupted[1], 0);
	assert_int_equal(host.last_stack_size, offsetof(struct lt_rec_stack, frames) + 16ull * n);
	assert_int_equal(rec->frames[0].pc, IP);
	assert_int_equal(rec->frames[1].pc, RET);
	for (i = 2; i < n; i++)
		assert_int_equal(rec->frames[i].pc, host.callers[i - 2]);
	for (i = 0; i < n; i++)
		assert_int_equal(rec->frames[i].place, 0);
}

/* The direct caller is there once, whether or not the kernel has found it. */
static void stacks_with_their_caller(void **how)
{
	unsigned int i;

	(void)how;
	for (i = 0; i < 2 * LT_MAX_FRAMES; i++)
		host.callers[i] = 0x500000 + i;
	host.n_callers = 5;
	mallocs(10, A);
	assert_sent(7);
	host.finds_caller = true;
	mallocs(10, B);
	assert_int_equal(state.next_site, 1);
	host.n_callers = 6;
	mallocs(10, A);
	assert_sent(8);
	assert_int_equal(state.next_site, 2);
	host.n_callers = 2 * LT_MAX_FRAMES;
	mallocs(10, A);
	assert_sent(LT_MAX_FRAMES - 1);
	host.finds_caller = false;
	mallocs(10, A);
	assert_sent(LT_MAX_FRAMES);
	host.n_callers = 0;
	mallocs(10, A);
	assert_sent(2);
	host.stack_error = -HOST_EFAULT;
	mallocs(10, A);
	assert_int_equal(state.next_site, 5);
}

static void stacks_that_differ_in_one_frame(void **how)
{
	u32 i;

	(void)how;
	host.n_callers = HOST_SITES - 1;
	mallocs(10, A);
	for (i = 0; i < HOST_SITES - 1; i++) {
		host.callers[i] ^= 1;
		mallocs(10, A);
		host.callers[i] ^= 1;
	}
	assert_int_equal(state.next_site, HOST_SITES);
	assert_int_equal(host__counter(LT_CNT_SITES_MERGED), 0);
}

static void ring_is_full_for_a_while(void **how)
{
	(void)how;
	host.ring_full = true;
	mallocs(10, A);
	assert_int_equal(host__site(0)->flags, 0);
	host__assert_live(1, 10);
	host__assert_lost(LT_CNT_RECORDS_DROPPED, 1);
	host.ring_full = false;
	mallocs(10, B);
	assert_int_equal(host.n_stacks, 1);
	assert_int_equal(host.last_stack.site, 0);
	assert_int_equal(host__site(0)->flags, LT_SITE_SENT);
	mallocs(10, 0xc000);
	assert_int_equal(host.n_stacks, 1);
}

static void threads_and_processes(void **how)
{
	(void)how;
	host__join(1, 0);
	mallocs(100, A);
	assert_int_equal(host.n_processes, 1);
	assert_int_equal(host.last_process.type, LT_REC_PROCESS);
	assert_int_equal(host.last_process.pid, 1000);
	assert_int_equal(host.last_process.slot, 0);
	host__run(1);
	mallocs(100, B);
	assert_int_equal(host.n_processes, 1);
	host__run(2);
	mallocs(30, A);
	assert_int_equal(host.n_processes, 2);
	assert_int_equal(host.last_process.pid, 1002);
	assert_int_equal(host__slot(0)->allocs, 2);
	assert_int_equal(host__slot(1)->allocs, 1);
	assert_int_equal(host__block(0, A)->size, 100);
	assert_int_equal(host__block(1, A)->size, 30);
	/* Not visible in the tracer's namespace. */
	host_pidns = 1;
	host__run(3);
	mallocs(30, A);
	assert_int_equal(host.last_process.pid, 0);
}

/* Name and start are those of the process: of its first thread, whichever makes the call. */
static void a_process_is_named_by_its_first_thread(void **how)
{
	(void)how;
	host__join(1, 2);
	host.threads[2].task.start_boottime = 77;
	host__run(1);
	mallocs(30, A);
	assert_int_equal(host.last_process.start_boottime, 77);
	assert_string_equal(host.last_process.comm, "thread 2");
	strcpy(host.threads[2].task.comm, "of 15 letters..");
	host.current->task.self_exec_id++;
	mallocs(30, A);
	assert_string_equal(host.last_process.comm, "of 15 letters..");
}

/* The same pid, another address space; what was pending in the old one never returns. */
static void exec_starts_anew(void **how)
{
	(void)how;
	mallocs(100, A);
	host__call(FN_REALLOC, SP, RET, ARGS(A, 200));
	host.current->task.self_exec_id++;
	mallocs(30, B);
	assert_int_equal(host.last_process.slot, 1);
	assert_int_equal(host.last_process.pid, 1000);
	assert_int_equal(host__block(1, B)->size, 30);
	assert_int_equal(host__pending(), 0);
	host__calls(FN_FREE, SP, RET, ARGS(A), 0);
	assert_int_equal(host__slot(1)->frees_untracked, 1);
	assert_int_equal(host__slot(0)->frees, 0);
}

/* Until user space has heard of an exec, the mappings that it has of the process are those of its last program. */
static void mappings_are_those_of_one_program(void **how)
{
	const struct lt_target target = {.space = 5, .exec_id = 7};
	u32 pid = 1000;

	(void)how;
	assert_int_equal(bpf_map_update_elem(&targets, &pid, &target, BPF_EXIST), 0);
	host.current->task.self_exec_id = 6;
	mallocs(10, A);
	assert_int_equal(host.last_process.exec_id, 6);
	assert_int_equal(host__slot(0)->space, LT_NO_SPACE);
	host.current->task.self_exec_id = 7;
	mallocs(10, A);
	assert_int_equal(host.last_process.exec_id, 7);
	assert_int_equal(host__slot(1)->space, 5);
	host.current->task.self_exec_id = 8;
	mallocs(10, A);
	assert_int_equal(host.last_process.exec_id, 8);
	assert_int_equal(host__slot(2)->space, LT_NO_SPACE);
	/* One that was there before the trace: whatever it runs. */
	host__run(1);
	host.current->task.self_exec_id = 99;
	mallocs(10, A);
	assert_int_equal(host__slot(3)->space, 0);
}

static void a_reused_pid_is_another_process(void **how)
{
	struct host_thread *t = host.current;

	(void)how;
	mallocs(100, A);
	t->has_state = false;
	memset(&t->state, 0, sizeof(t->state));
	t->task.start_boottime++;
	mallocs(100, A);
	assert_int_equal(host.n_processes, 2);
	assert_int_equal(host__slot(1)->allocs, 1);
	host__assert_live(2, 200);
}

static void too_many_processes(void **how)
{
	unsigned int i;

	(void)how;
	for (i = 0; i < LT_MAX_SLOTS + 3; i++) {
		host.current->task.self_exec_id++;
		mallocs(1, A);
	}
	assert_int_equal(host.n_processes, LT_MAX_SLOTS);
	assert_int_equal(host__counter(LT_CNT_PROCESSES_UNTRACKED), 3);
}

static void no_memory_for_a_thread(void **how)
{
	(void)how;
	host.no_task_storage = true;
	mallocs(10, A);
	host__assert_lost(LT_CNT_TASKS_UNTRACKED, 1);
	host.no_task_storage = false;
	mallocs(10, A);
	host__assert_live(1, 10);
}

/* Calls under way still count, so that sums over blocks and sites agree. */
static void frozen(void **how)
{
	(void)how;
	mallocs(100, A);
	host__call(FN_MALLOC, SP, RET, ARGS(30));
	state.frozen = 1;
	host__return(SP, B);
	host__assert_live(2, 130);
	host__calls(FN_FREE, SP, RET, ARGS(A), 0);
	mallocs(100, 0xc000);
	host__assert_live(2, 130);
	host__assert_nothing_lost();
}

static void assert_event(u32 kind, u32 fn, u64 address, u64 size)
{
	assert_int_equal(host.last_event.kind, kind);
	assert_int_equal(host.last_event.fn, fn);
	assert_int_equal(host.last_event.address, address);
	assert_int_equal(host.last_event.size, size);
}

/* What comes, goes and fails is told one by one; a nested call is not. */
static void events_of_each_block(void **how)
{
	(void)how;
	mallocs(10, A);
	assert_int_equal(host.n_events, 0);
	host_events = true;
	mallocs(30, B);
	assert_event(LT_EVENT_BORN, FN_MALLOC, B, 30);
	host__calls(FN_MALLOC, SP - 64, host__inside(FN_CALLOC), ARGS(8), 0xd000);
	assert_int_equal(host.n_events, 1);
	host__calls(FN_REALLOC, SP, RET, ARGS(B, 50), 0xc000);
	assert_int_equal(host.n_events, 3);
	assert_event(LT_EVENT_BORN, FN_REALLOC, 0xc000, 50);
	mallocs(70, 0);
	assert_event(LT_EVENT_FAILED, FN_MALLOC, 0, 70);
	host__calls(FN_FREE, SP, RET, ARGS(A), 0);
	assert_event(LT_EVENT_GONE, FN_FREE, A, 10);
	host__calls(FN_FREE, SP, RET, ARGS(A), 0);
	assert_event(LT_EVENT_GONE, FN_FREE, A, LT_NO_SIZE);
	host__calls(FN_FREE, SP, RET, ARGS(0), 0);
	assert_int_equal(host.n_events, 6);
	host__assert_nothing_lost();
	host.ring_full = true;
	host__calls(FN_FREE, SP, RET, ARGS(0xc000), 0);
	host__assert_lost(LT_CNT_EVENTS_DROPPED, 1);
}

/* The process and the thread, each by its number in the tracer's namespace. */
static void events_name_their_thread(void **how)
{
	(void)how;
	host_events = true;
	host__join(1, 2);
	host__run(1);
	mallocs(30, B);
	assert_int_equal(host.last_event.pid, 1002);
	assert_int_equal(host.last_event.tid, 1001);
}

static void an_unknown_function(void **how)
{
	struct lt_fn fn = {.op = LT_OP_FREE, .ptr_reg = LT_NO_REG};

	(void)how;
	/* Its table entry is not filled in: nothing is known of its arguments. */
	host__set_fn(FN_FREE, &fn);
	mallocs(10, A);
	host__calls(FN_FREE, SP, RET, ARGS(A), 0);
	host__assert_live(1, 10);
	host__assert_nothing_lost();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST_FP(stacks_with_their_caller),
		HOST_TEST_FP(stacks_that_differ_in_one_frame),
		HOST_TEST(ring_is_full_for_a_while),
		HOST_TEST(threads_and_processes),
		HOST_TEST(a_process_is_named_by_its_first_thread),
		HOST_TEST(exec_starts_anew),
		HOST_TEST(mappings_are_those_of_one_program),
		HOST_TEST(a_reused_pid_is_another_process),
		HOST_TEST(too_many_processes),
		HOST_TEST(no_memory_for_a_thread),
		HOST_TEST(frozen),
		HOST_TEST(events_of_each_block),
		HOST_TEST(events_name_their_thread),
		HOST_TEST(an_unknown_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
