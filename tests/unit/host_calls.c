/* SPDX-License-Identifier: GPL-2.0-only */
#include "host_calls.h"
#include "heap.bpf.c"

#define NO LT_NO_REG

enum { RDX = 2, RSI = 6, RDI = 7 };

enum host_path host_path, host_session = HOST_SESSION, host_two = HOST_TWO, host_session_fp = HOST_SESSION_FP,
			  host_two_fp = HOST_TWO_FP;

static int (*const on_entry_of[])(struct pt_regs *) = {
	[HOST_SESSION] = on_session,
	[HOST_TWO] = on_enter,
	[HOST_SESSION_FP] = on_session_fp,
	[HOST_TWO_FP] = on_enter_fp,
};

static int (*const on_return_of[])(struct pt_regs *) = {
	[HOST_SESSION] = on_session,
	[HOST_TWO] = on_leave,
	[HOST_SESSION_FP] = on_session_fp,
	[HOST_TWO_FP] = on_leave,
};

static const struct lt_fn table[FN_COUNT] = {
	[FN_FREE] = {.op = LT_OP_FREE, .size_reg = NO, .count_reg = NO, .ptr_reg = RDI},
	[FN_FREE_SIZED] = {.op = LT_OP_FREE, .size_reg = NO, .count_reg = NO, .ptr_reg = RDI},
	[FN_REALLOC] = {.op = LT_OP_REALLOC,
			.size_reg = RSI,
			.count_reg = NO,
			.ptr_reg = RDI,
			.failed_realloc = LT_FAILED_ZERO_FREES},
	[FN_REALLOCARRAY] = {.op = LT_OP_REALLOC,
			     .size_reg = RDX,
			     .count_reg = RSI,
			     .ptr_reg = RDI,
			     .failed_realloc = LT_FAILED_ZERO_FREES},
	[FN_MALLOC] = {.op = LT_OP_ALLOC, .size_reg = RDI, .count_reg = NO, .ptr_reg = NO},
	[FN_CALLOC] = {.op = LT_OP_ALLOC, .size_reg = RSI, .count_reg = RDI, .ptr_reg = NO},
	[FN_POSIX_MEMALIGN] = {.op = LT_OP_ALLOC_PTR, .size_reg = RDX, .count_reg = NO, .ptr_reg = RDI},
	[FN_ALIGNED_ALLOC] = {.op = LT_OP_ALLOC, .size_reg = RSI, .count_reg = NO, .ptr_reg = NO},
	[FN_REALLOC_KEEPS] = {.op = LT_OP_REALLOC, .size_reg = RSI, .count_reg = NO, .ptr_reg = RDI},
	[FN_XALLOCX] = {.op = LT_OP_RESIZE, .size_reg = RSI, .count_reg = NO, .ptr_reg = RDI},
	[FN_POOL_ALLOC] =
		{.op = LT_OP_ALLOC, .size_reg = RSI, .count_reg = NO, .ptr_reg = NO, .pool_reg = RDI, .pools = 1},
	[FN_POOL_REALLOC] =
		{.op = LT_OP_REALLOC, .size_reg = RDX, .count_reg = NO, .ptr_reg = RSI, .pool_reg = RDI, .pools = 1},
	[FN_POOL_RESET] = {.op = LT_OP_RESET, .pool_reg = RDI, .pools = 1},
	[FN_POOL_DISSOLVE] = {.op = LT_OP_DISSOLVE, .pool_reg = RDI, .pools = 1},
};

/* As the running test has changed them. */
static struct lt_fn current[FN_COUNT];

static u64 vaddr_of(enum host_fn fn)
{
	return 0x1000 * ((u64)fn + 1);
}

static void add_space(void)
{
	const struct lt_target target = {.space = 0};
	struct lt_mapping *m = host__array(&mappings);
	struct lt_row *row = host__array(&rows);
	u32 i, pid;

	/* Of no file, so that a place is the whole pc. */
	m[0] = (struct lt_mapping){.n = 1, .kind = LT_MAPPING_TABLE};
	row[0].rule = lt_rule_pack(LT_RULE_END, 0, 0);
	*host__space(target.space) = (struct lt_space){.range = 1ull << 32, .generation = 1};
	for (i = 0; i < HOST_THREADS; i++) {
		pid = 1000 + i;
		assert_int_equal(bpf_map_update_elem(&targets, &pid, &target, BPF_NOEXIST), 0);
	}
}

void host__start_calls(u32 max_blocks, u32 max_sites)
{
	struct lt_module *m;
	u32 i;

	host__start(max_blocks, max_sites);
	host_sessions = host_path == HOST_SESSION || host_path == HOST_SESSION_FP;
	add_space();
	m = host__module(0);
	m->n = FN_COUNT;
	for (i = 0; i < FN_COUNT; i++) {
		struct lt_fn fn = table[i];

		fn.vaddr = vaddr_of(i);
		host__change_fn(i, &fn);
		m->ranges[i] = (struct lt_range){fn.vaddr, fn.vaddr + 0x100};
	}
}

struct lt_fn host__fn(enum host_fn fn)
{
	return current[fn];
}

void host__change_fn(enum host_fn fn, const struct lt_fn *to)
{
	current[fn] = *to;
	host__set_fn(fn, to);
}

void host__see_rets(enum host_fn fn)
{
	struct lt_fn to = current[fn];

	to.ret_insns = 1;
	host__change_fn(fn, &to);
}

/* arch_uretprobe_is_alive(): of a call, only what waits above it is; where two calls share a word, that one is, too. */
static void forget_dead(struct host_thread *t, u64 sp, bool chained)
{
	while (t->n_instances) {
		u64 stack = t->instances[t->n_instances - 1].stack;

		if (chained ? sp <= stack : sp < stack)
			return;
		host__pop_instance(t);
	}
}

/* prepare_uretprobe() */
static void prepare_return(enum host_fn fn, u64 sp)
{
	struct host_thread *t = host.current;
	u64 orig = host__peek(sp);
	bool chained = orig == HOST_TRAMPOLINE;

	host__poke(sp, HOST_TRAMPOLINE);
	forget_dead(t, sp, chained);
	if (chained) {
		assert_true(t->n_instances);
		orig = t->instances[t->n_instances - 1].orig_ret_vaddr;
	}
	host__push_instance(t, fn, sp, orig);
}

void host__forget_space(void)
{
	u32 i, pid;

	for (i = 0; i < HOST_THREADS; i++) {
		pid = 1000 + i;
		bpf_map_delete_elem(&targets, &pid);
	}
}

static bool ends_pool(enum host_fn fn)
{
	return current[fn].op == LT_OP_RESET || current[fn].op == LT_OP_DISSOLVE;
}

int host__enter(enum host_fn fn, struct pt_regs *regs)
{
	host.func_ip = regs->ip;
	host.cookie = fn;
	return ends_pool(fn) ? on_reset(regs) : on_entry_of[host_path](regs);
}

/* What has no return probe: what releases, and what is probed at its ret instructions. */
static bool is_attached_at_entry_only(enum host_fn fn)
{
	return current[fn].op == LT_OP_FREE || ends_pool(fn) || current[fn].ret_insns;
}

void host__hit(enum host_fn fn, u64 sp, struct pt_regs *regs)
{
	bool unwanted;

	regs->sp = sp - current[fn].sp_offset;
	regs->ip = HOST_LOAD_BIAS + current[fn].vaddr;
	unwanted = host__enter(fn, regs);
	if (host_path == HOST_TWO || host_path == HOST_TWO_FP)
		unwanted = is_attached_at_entry_only(fn);
	else if (is_attached_at_entry_only(fn))
		assert_true(unwanted);
	if (unwanted)
		return;
	/* The kernel would replace another word than the return address. */
	assert_int_equal(current[fn].sp_offset, 0);
	prepare_return(fn, sp);
}

void host__jump(enum host_fn fn, u64 sp, struct host_args args)
{
	struct pt_regs regs = {.bp = host.fp, .di = args.at[0], .si = args.at[1], .dx = args.at[2]};

	host__hit(fn, sp, &regs);
}

/* The last instruction of it is the ret. A session's program is asked here, too, whether it wants a return. */
void host__at_ret(enum host_fn fn, u64 sp, u64 result)
{
	struct pt_regs regs = {.sp = sp, .bp = host.fp, .ax = result};
	int wanted;

	regs.ip = HOST_LOAD_BIAS + vaddr_of(fn) + 0xff;
	host.func_ip = regs.ip;
	host.cookie = fn | LT_COOKIE_RET;
	wanted = on_entry_of[host_path](&regs);
	if (host_path == HOST_SESSION || host_path == HOST_SESSION_FP)
		assert_int_equal(wanted, RETURN_UNWANTED);
}

void host__call(enum host_fn fn, u64 sp, u64 ret, struct host_args args)
{
	host__poke(sp, ret);
	host__jump(fn, sp, args);
}

/* handle_trampoline() */
void host__return(u64 sp, u64 result)
{
	struct pt_regs regs = {.sp = sp + 8, .ax = result};
	struct host_thread *t = host.current;

	if (host__peek(sp) != HOST_TRAMPOLINE)
		return;
	while (t->n_instances && t->instances[t->n_instances - 1].stack < sp)
		host__pop_instance(t);
	/* A forgotten return probe would send the target into nothing. */
	assert_true(t->n_instances && t->instances[t->n_instances - 1].stack == sp);
	while (t->n_instances && t->instances[t->n_instances - 1].stack == sp) {
		unsigned int top = t->n_instances - 1;

		regs.ip = t->instances[top].orig_ret_vaddr;
		host.cookie = t->instance_fn[top];
		host.func_ip = HOST_LOAD_BIAS + current[t->instance_fn[top]].vaddr;
		host__pop_instance(t);
		on_return_of[host_path](&regs);
	}
}

u64 host__return_address(u64 sp)
{
	return return_address(sp);
}

bool host__return_would_kill(u64 sp)
{
	return return_would_kill(sp);
}

bool host__called_by_allocator(const struct lt_fn *fn, u64 ip, u64 ret)
{
	return is_nested(&host.current->state, fn->module, ip - fn->vaddr, 0x7fff00000000ull, ret);
}

void host__walk(u32 space, struct pt_regs *regs, u64 ret, u64 seed)
{
	walk(&host.current->state, regs, space, regs->sp, ret, seed);
}
