/* SPDX-License-Identifier: GPL-2.0-only */
/* Exec of a target: what its old address space becomes. */
#include "host_bpf.h"

#define on_exit on_task_exit /* <stdlib.h> has one */
#include "lifecycle.bpf.c"

#define SPACE 3

static int set_up(void **how)
{
	const struct lt_target target = {.space = SPACE, .exec_id = 1};
	u32 pid = 1000;

	(void)how;
	host__start(16, 16);
	return (int)bpf_map_update_elem(&targets, &pid, &target, BPF_NOEXIST);
}

static int tear_down(void **how)
{
	(void)how;
	host__stop();
	return 0;
}

static const struct lt_target *target_of(u32 pid)
{
	return bpf_map_lookup_elem(&targets, &pid);
}

/* User space may read the mappings of the new program before it hears of it: these are not those of its last stacks. */
static void exec_of_a_target(void **how)
{
	(void)how;
	host.current->task.self_exec_id = 2;
	on_exec(NULL);
	assert_int_equal(host.n_processes, 1);
	assert_int_equal(host.last_process.type, LT_REC_EXEC);
	assert_int_equal(host.last_process.slot, LT_NO_SLOT);
	assert_int_equal(host.last_process.pid, 1000);
	assert_int_equal(host.last_process.exec_id, 2);
	assert_int_equal(target_of(1000)->space, LT_NO_SPACE);
	assert_int_equal(host__space(SPACE)->stale, 1);
	/* Again, before user space has given it another. */
	on_exec(NULL);
	assert_int_equal(host.n_processes, 2);
	assert_int_equal(host__space(SPACE)->stale, 1);
}

static void exec_of_others(void **how)
{
	(void)how;
	host__run(1);
	on_exec(NULL);
	assert_int_equal(host.n_processes, 0);
	assert_null(target_of(1001));
	assert_int_equal(host__space(SPACE)->stale, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exec_of_a_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(exec_of_others, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
