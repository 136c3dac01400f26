/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "host_bpf.h"
#include "host_vma.h"

#define BUCKETS 1024

struct entry {
	struct entry *next;
	void *key, *value; /* of their own, so that a use after delete shows under ASan */
};

struct map {
	void *id;
	u32 type, key_size, value_size, max, n;
	char *array;
	struct entry *buckets[BUCKETS];
};

struct host host;
static struct map maps[20];
static unsigned int n_maps;
static struct pid_namespace ns;
static struct pid *pids[HOST_THREADS];

struct lt_state state;
struct map_blocks blocks;
struct map_pools pools;
struct map_pooled pooled;
struct map_sites sites;
struct map_site_ids site_ids;
struct map_slots slots;
struct map_slot_ids slot_ids;
struct map_targets targets;
struct map_tasks tasks;
struct map_fns fns;
struct map_modules modules;
struct map_counters counters;
struct map_hits hits;
struct map_ring ring;
struct map_events events;
struct map_no_programs no_programs;
struct map_rows rows;
struct map_mappings mappings;
struct map_spaces spaces;
struct map_rules rules;
struct map_files files;
const volatile bool cfg_never = false;

/* Constants to the BPF code, variables to a test. */
u32 host_max_sites, host_pidns;
bool host_events;
u64 host_min_size, host_max_size;
bool host_sessions, host_vm_children_hit, host_find_vma;
extern const volatile u32 cfg_max_sites __attribute__((alias("host_max_sites")));
extern const volatile bool cfg_events __attribute__((alias("host_events")));
extern const volatile u32 cfg_pidns __attribute__((alias("host_pidns")));
extern const volatile u64 cfg_min_size __attribute__((alias("host_min_size")));
extern const volatile u64 cfg_max_size __attribute__((alias("host_max_size")));
extern const volatile bool cfg_sessions __attribute__((alias("host_sessions")));
extern const volatile bool cfg_find_vma __attribute__((alias("host_find_vma")));
extern const volatile bool cfg_vm_children_hit __attribute__((alias("host_vm_children_hit")));

/* Type and sizes as the BPF definition says. */
#define ADD_MAP(map, entries)                                                                                          \
	add_map(&(map), sizeof(*(map).type) / sizeof(int), sizeof(*(map).key), sizeof(*(map).value), entries)
#define ENTRIES(map) (sizeof(*(map).max_entries) / sizeof(int))

static void add_map(void *id, u32 type, u32 key_size, u32 value_size, u32 max)
{
	struct map *m = &maps[n_maps++];

	memset(m, 0, sizeof(*m));
	m->id = id;
	m->type = type;
	m->key_size = key_size;
	m->value_size = value_size;
	m->max = max;
	if (type != BPF_MAP_TYPE_HASH)
		m->array = calloc(max, value_size);
}

static struct map *find_map(void *id)
{
	unsigned int i;

	for (i = 0; i < n_maps; i++) {
		if (maps[i].id == id)
			return &maps[i];
	}
	fail_msg("no such map");
	return NULL;
}

static struct entry **find_entry(struct map *m, const void *key)
{
	const unsigned char *p = key;
	struct entry **at;
	u32 hash = 0, i;

	for (i = 0; i < m->key_size; i++)
		hash = hash * 31 + p[i];
	for (at = &m->buckets[hash % BUCKETS]; *at; at = &(*at)->next) {
		if (!memcmp((*at)->key, key, m->key_size))
			break;
	}
	return at;
}

void *bpf_map_lookup_elem(void *map, const void *key)
{
	struct map *m = find_map(map);
	struct entry *e;

	if (m->array)
		return *(const u32 *)key < m->max ? m->array + *(const u32 *)key * m->value_size : NULL;
	e = *find_entry(m, key);
	return e ? e->value : NULL;
}

static void *copy_of(const void *from, size_t size)
{
	void *to = malloc(size);

	assert_non_null(to);
	return memcpy(to, from, size);
}

long bpf_map_update_elem(void *map, const void *key, const void *value, u64 flags)
{
	void (*before)(void *) = host.before_update;
	struct map *m = find_map(map);
	struct entry **at, *e;

	host.before_update = NULL;
	if (before)
		before(map);
	at = find_entry(m, key);
	assert_null(m->array);
	if (*at && flags == BPF_NOEXIST)
		return -HOST_EEXIST;
	if (!*at && flags == BPF_EXIST)
		return -HOST_ENOENT;
	if (*at) {
		memcpy((*at)->value, value, m->value_size);
		return 0;
	}
	if (m->n == m->max)
		return -HOST_E2BIG;
	e = calloc(1, sizeof(*e));
	assert_non_null(e);
	e->key = copy_of(key, m->key_size);
	e->value = copy_of(value, m->value_size);
	*at = e;
	m->n++;
	return 0;
}

long bpf_map_delete_elem(void *map, const void *key)
{
	struct map *m = find_map(map);
	struct entry **at = find_entry(m, key), *e = *at;

	if (!e)
		return -HOST_ENOENT;
	*at = e->next;
	free(e->key);
	free(e->value);
	free(e);
	m->n--;
	return 0;
}

long bpf_ringbuf_output(void *ringbuf, void *data, u64 size, u64 flags)
{
	if (host.ring_full)
		return -11;
	if (ringbuf == &events) {
		assert_int_equal(size, sizeof(host.last_event));
		assert_int_equal(flags, BPF_RB_NO_WAKEUP);
		memcpy(&host.last_event, data, size);
		host.n_events++;
		return 0;
	}
	assert_ptr_equal(ringbuf, &ring);
	if (*(u32 *)data == LT_REC_STACK) {
		assert_true(size <= sizeof(host.last_stack));
		memcpy(&host.last_stack, data, size);
		host.last_stack_size = size;
		host.n_stacks++;
	} else {
		assert_int_equal(size, sizeof(host.last_process));
		memcpy(&host.last_process, data, size);
		host.n_processes++;
	}
	return 0;
}

void *bpf_ringbuf_reserve(void *ringbuf, u64 size, u64 flags)
{
	(void)flags;
	assert_ptr_equal(ringbuf, &ring);
	assert_int_equal(size, sizeof(host.last_partial));
	assert_false(host.reserved);
	if (host.ring_full)
		return NULL;
	host.reserved = true;
	/* As a ring that went round. */
	return memset(&host.last_partial, 0xa5, sizeof(host.last_partial));
}

void bpf_ringbuf_submit(void *data, u64 flags)
{
	(void)flags;
	assert_ptr_equal(data, &host.last_partial);
	assert_true(host.reserved);
	assert_int_equal(host.last_partial.stack.type, LT_REC_PARTIAL);
	host.reserved = false;
	host.n_partials++;
}

/* The instruction pointer, the caller if it is found, and the rest. */
long bpf_get_stack(void *ctx, void *buf, u32 size, u64 flags)
{
	const struct pt_regs *regs = ctx;
	u64 *out = buf;
	unsigned int n = 0, i;

	assert_int_equal(flags, BPF_F_USER_STACK);
	memset(buf, 0, size);
	if (host.stack_error)
		return host.stack_error;
	out[n++] = regs->ip;
	if (host.finds_caller)
		out[n++] = host__peek(regs->sp);
	for (i = 0; i < host.n_callers && n < size / sizeof(u64); i++)
		out[n++] = host.callers[i];
	return n * sizeof(u64);
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return &host.current->task;
}

void *bpf_task_storage_get(void *map, struct task_struct *task, void *value, u64 flags)
{
	struct host_thread *t = host.current;

	assert_ptr_equal(map, &tasks);
	assert_ptr_equal(task, &t->task);
	assert_null(value);
	if (!t->has_state && (flags != BPF_LOCAL_STORAGE_GET_F_CREATE || host.no_task_storage))
		return NULL;
	t->has_state = true;
	return &t->state;
}

u64 bpf_get_attach_cookie(void *ctx)
{
	(void)ctx;
	return host.cookie;
}

u64 bpf_get_func_ip(void *ctx)
{
	(void)ctx;
	return host.func_ip;
}

long bpf_loop(u32 n, void *callback, void *ctx, u64 flags)
{
	long (*each)(u32 i, void *ctx) = callback;
	u32 i;

	assert_int_equal(flags, 0);
	for (i = 0; i < n && !each(i, ctx); i++)
		;
	return i;
}

u64 bpf_ktime_get_ns(void)
{
	return ++host.clock;
}

long bpf_tail_call(void *ctx, void *map, u32 index)
{
	(void)ctx, (void)map, (void)index;
	fail_msg("a tail call was made");
	return -1;
}

u64 host__cas(u64 *word, u64 old, u64 new)
{
	void (*before)(u64 *) = host.before_cas;

	if (!host.cas_always)
		host.before_cas = NULL;
	if (before)
		before(word);
	__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

void host__push_instance(struct host_thread *t, u32 fn, u64 stack, u64 orig_ret)
{
	unsigned int n = t->n_instances++;

	assert_true(n < HOST_INSTANCES);
	t->instances[n].stack = stack;
	t->instances[n].orig_ret_vaddr = orig_ret;
	t->instances[n].next = n ? &t->instances[n - 1] : NULL;
	t->instance_fn[n] = fn;
	t->utask.return_instances = &t->instances[n];
	t->task.utask = &t->utask;
}

void host__pop_instance(struct host_thread *t)
{
	assert_true(t->n_instances);
	t->utask.return_instances = t->instances[--t->n_instances].next;
}

static void add_threads(void)
{
	unsigned int i;

	ns.ns.inum = 42;
	for (i = 0; i < HOST_THREADS; i++) {
		struct task_struct *t = &host.threads[i].task;

		pids[i] = calloc(1, sizeof(struct pid) + sizeof(struct upid));
		assert_non_null(pids[i]);
		pids[i]->numbers[0].nr = 1000 + (int)i;
		pids[i]->numbers[0].ns = &ns;
		t->thread_pid = pids[i];
		t->pid = t->tgid = 1000 + (int)i;
		t->group_leader = t;
		t->start_boottime = 1;
		snprintf(t->comm, sizeof(t->comm), "thread %u", i);
		t->self_exec_id = 1;
	}
}

void host__start(u32 max_blocks, u32 max_sites)
{
	memset(&host, 0, sizeof(host));
	memset(&state, 0, sizeof(state));
	host__forget_memory();
	state.window = 1;
	host_max_sites = max_sites;
	host_pidns = 42;
	host_events = false;
	host_min_size = 0;
	host_max_size = ~0ull;
	host_sessions = host_vm_children_hit = host_find_vma = false;
	host__forget_vmas();
	ADD_MAP(blocks, max_blocks);
	ADD_MAP(pools, max_blocks);
	ADD_MAP(pooled, max_blocks);
	ADD_MAP(sites, max_sites + LT_MAX_SLOTS);
	ADD_MAP(site_ids, max_sites);
	ADD_MAP(slots, ENTRIES(slots));
	ADD_MAP(slot_ids, ENTRIES(slot_ids));
	ADD_MAP(targets, ENTRIES(targets));
	ADD_MAP(fns, ENTRIES(fns));
	ADD_MAP(modules, ENTRIES(modules));
	ADD_MAP(counters, ENTRIES(counters));
	ADD_MAP(hits, ENTRIES(hits));
	ADD_MAP(rows, HOST_ROWS);
	ADD_MAP(mappings, ENTRIES(mappings));
	ADD_MAP(spaces, ENTRIES(spaces));
	ADD_MAP(rules, ENTRIES(rules));
	ADD_MAP(files, ENTRIES(files));
	add_threads();
	host__run(0);
}

void host__stop(void)
{
	unsigned int i, b;

	assert_false(host.reserved);
	for (i = 0; i < n_maps; i++) {
		free(maps[i].array);
		for (b = 0; b < BUCKETS; b++) {
			while (maps[i].buckets[b])
				bpf_map_delete_elem(maps[i].id, maps[i].buckets[b]->key);
		}
	}
	n_maps = 0;
	for (i = 0; i < HOST_THREADS; i++)
		free(pids[i]);
}

struct host_thread *host__run(unsigned int i)
{
	return host.current = &host.threads[i];
}

void host__join(unsigned int i, unsigned int leader)
{
	host.threads[i].task.tgid = host.threads[leader].task.tgid;
	host.threads[i].task.group_leader = &host.threads[leader].task;
}

u64 host__counter(enum lt_counter c)
{
	u32 key = c;

	return *(u64 *)bpf_map_lookup_elem(&counters, &key);
}

struct lt_site *host__site(u32 id)
{
	return bpf_map_lookup_elem(&sites, &id);
}

struct lt_slot *host__slot(u32 id)
{
	return bpf_map_lookup_elem(&slots, &id);
}

struct lt_block *host__block(u32 slot, u64 address)
{
	struct lt_block_key key = {.address = address, .slot = slot};

	return bpf_map_lookup_elem(&blocks, &key);
}

void host__set_fn(u32 id, const struct lt_fn *fn)
{
	*(struct lt_fn *)bpf_map_lookup_elem(&fns, &id) = *fn;
}

struct lt_module *host__module(u32 id)
{
	return bpf_map_lookup_elem(&modules, &id);
}

void *host__array(void *map)
{
	return find_map(map)->array;
}

struct lt_space *host__space(u32 id)
{
	return bpf_map_lookup_elem(&spaces, &id);
}

struct host_sums host__tracked(void)
{
	struct map *m = find_map(&blocks);
	struct host_sums s = {};
	struct entry *e;
	u32 b;

	for (b = 0; b < BUCKETS; b++) {
		for (e = m->buckets[b]; e; e = e->next) {
			s.bytes += (s64)((struct lt_block *)e->value)->size;
			s.blocks++;
		}
	}
	return s;
}

unsigned int host__n_entries(void *map)
{
	return find_map(map)->n;
}

struct host_sums host__live(void)
{
	struct host_sums s = {};
	u32 i;

	for (i = 0; i < host_max_sites + LT_MAX_SLOTS; i++) {
		s.bytes += host__site(i)->live_bytes;
		s.blocks += host__site(i)->live_blocks;
	}
	return s;
}

struct host_sums host__by_birth(void)
{
	struct host_sums s = {};
	u32 i, c;

	for (i = 0; i < host_max_sites + LT_MAX_SLOTS; i++) {
		for (c = 0; c < LT_BIRTH_COUNTERS; c++) {
			s.bytes += host__site(i)->birth_bytes[c];
			s.blocks += host__site(i)->birth_blocks[c];
		}
	}
	return s;
}

void host__assert_in_between(s64 tracked_n, s64 tracked_bytes, s64 n, s64 bytes)
{
	struct host_sums tracked = host__tracked(), live = host__live(), by_birth = host__by_birth();

	assert_int_equal(tracked.blocks, tracked_n);
	assert_int_equal(tracked.bytes, tracked_bytes);
	assert_int_equal(live.blocks, n);
	assert_int_equal(live.bytes, bytes);
	assert_int_equal(by_birth.blocks, n);
	assert_int_equal(by_birth.bytes, bytes);
}

void host__assert_live(s64 n, s64 bytes)
{
	host__assert_in_between(n, bytes, n, bytes);
}

void host__assert_lost(enum lt_counter c, u64 n)
{
	int i;

	for (i = 0; i < LT_CNT_MAX; i++)
		assert_int_equal(host__counter((enum lt_counter)i), i == (int)c ? n : 0);
}

unsigned int host__pending(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < LT_PENDING; i++)
		n += host.current->state.pending[i].used;
	return n;
}
