/* SPDX-License-Identifier: GPL-2.0-only */
/* The dynamic loader's notices, and what of a space they put in doubt. */
#include "host_bpf.h"

#include "loader.bpf.c"

#define IP	 0x7f0000001000ull
#define DISTANCE 0x20000ull
#define R_DEBUG	 (IP + DISTANCE)

static u64 notice(u32 r_state)
{
	struct pt_regs regs = {.ip = IP};
	u32 before = host__space(0)->stale;

	host__poke(R_DEBUG + R_STATE, 0xffffffff00000000ull | r_state);
	host.cookie = DISTANCE;
	on_loader(&regs);
	return host__space(0)->stale - before;
}

static unsigned int loaded(void)
{
	return host.last_process.type == LT_REC_LOADED ? host.n_processes - 1 : 0;
}

static int set_up(void **state_)
{
	const struct lt_target target = {.space = 0};
	u32 pid = 1000;

	(void)state_;
	host__start(16, 16);
	host__space(0)->link_state = LT_LINK_UNKNOWN;
	return (int)bpf_map_update_elem(&targets, &pid, &target, BPF_NOEXIST);
}

static int tear_down(void **state_)
{
	(void)state_;
	host__stop();
	return 0;
}

/* Nothing is unmapped; user space hears of it once the library is there. */
static void a_library_is_loaded(void **how)
{
	(void)how;
	assert_int_equal(notice(LT_LINK_ADD), 0);
	assert_int_equal(loaded(), 0);
	assert_int_equal(notice(LT_LINK_CONSISTENT), 0);
	assert_int_equal(loaded(), 1);
	assert_int_equal(host.last_process.slot, 0);
	assert_int_equal(host.last_process.pid, 1000);
	assert_int_equal(notice(LT_LINK_ADD), 0);
	assert_int_equal(notice(LT_LINK_CONSISTENT), 0);
	assert_int_equal(loaded(), 2);
}

/* What is mapped may take addresses of code that was made at run time, and has gone without a word. */
static void a_library_is_loaded_next_to_other_code(void **how)
{
	(void)how;
	host__space(0)->has_plain = 1;
	assert_int_equal(notice(LT_LINK_ADD), 1);
	assert_int_equal(loaded(), 0);
	assert_int_equal(notice(LT_LINK_CONSISTENT), 0);
	assert_int_equal(loaded(), 1);
	assert_int_equal(host__space(0)->link_state, LT_LINK_CONSISTENT);
}

/* Before the mappings go, and after: what user space read in between is doubtful, too. */
static void a_library_is_unloaded(void **how)
{
	(void)how;
	notice(LT_LINK_ADD);
	notice(LT_LINK_CONSISTENT);
	assert_int_equal(notice(LT_LINK_DELETE), 1);
	assert_int_equal(host__space(0)->link_state, LT_LINK_DELETE);
	/* It is all still there. */
	assert_int_equal(loaded(), 1);
	assert_int_equal(notice(LT_LINK_CONSISTENT), 1);
	assert_int_equal(loaded(), 2);
}

/* The trace began in between, or another list of libraries changes (dlmopen). */
static void half_a_notice(void **how)
{
	(void)how;
	assert_int_equal(notice(LT_LINK_CONSISTENT), 1);
	assert_int_equal(notice(LT_LINK_CONSISTENT), 1);
	assert_int_equal(loaded(), 2);
	assert_int_equal(notice(LT_LINK_ADD), 0);
	assert_int_equal(notice(LT_LINK_ADD), 0);
	assert_int_equal(notice(LT_LINK_CONSISTENT), 0);
}

/* Unknown states are the target's, as all its memory. */
static void a_state_that_is_none(void **how)
{
	(void)how;
	notice(LT_LINK_ADD);
	notice(LT_LINK_CONSISTENT);
	assert_int_equal(notice(77), 1);
	assert_int_equal(loaded(), 2);
	assert_int_equal(notice(LT_LINK_CONSISTENT), 1);
}

static void an_unreadable_state(void **how)
{
	struct pt_regs regs = {.ip = IP};

	(void)how;
	notice(LT_LINK_ADD);
	host.cookie = DISTANCE + 0x100000;
	on_loader(&regs);
	assert_int_equal(loaded(), 1);
	/* What it was is not known, so the end of it may be that of anything. */
	assert_int_equal(notice(LT_LINK_CONSISTENT), 1);
	assert_int_equal(host__counter(LT_CNT_READS_FAILED), 0);
}

/* musl does not say what it has done, and unmaps nothing. */
static void a_loader_without_state(void **how)
{
	struct pt_regs regs = {.ip = IP};

	(void)how;
	host.cookie = 0;
	on_loader(&regs);
	on_loader(&regs);
	assert_int_equal(loaded(), 2);
	assert_int_equal(host__space(0)->stale, 0);
}

static void a_process_without_a_space(void **how)
{
	(void)how;
	host__run(1);
	assert_int_equal(notice(LT_LINK_DELETE), 0);
	assert_int_equal(host__slot(0)->space, LT_NO_SPACE);
	assert_int_equal(loaded(), 1);
	assert_int_equal(host.last_process.pid, 1001);
}

/* Its return is never asked for. */
static void no_return(void **how)
{
	struct pt_regs regs = {.ip = IP};

	(void)how;
	assert_int_equal(on_loader(&regs), 0);
	host_sessions = true;
	assert_int_equal(on_loader(&regs), RETURN_UNWANTED);
	assert_int_equal(*(u64 *)host__array(&hits), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_library_is_loaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_library_is_loaded_next_to_other_code, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_library_is_unloaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(half_a_notice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_state_that_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_unreadable_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_loader_without_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_process_without_a_space, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_return, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
