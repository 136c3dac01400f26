/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for libbpf's: the helpers that bpf/ calls are plain functions here, written in host_bpf.c. */
#pragma once

/* clang's own, and meant for a verifier. */
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

#undef __always_inline
#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __always_inline	  inline __attribute__((always_inline))
#define __noinline	  __attribute__((noinline, unused))
#define barrier_var(var)  asm volatile("" : "+r"(var))

/* libbpf has functions of these names for user space, which tests of that call. */
#define bpf_map_lookup_elem host__map_lookup_elem
#define bpf_map_update_elem host__map_update_elem
#define bpf_map_delete_elem host__map_delete_elem

void *bpf_map_lookup_elem(void *map, const void *key);
long bpf_map_update_elem(void *map, const void *key, const void *value, u64 flags);
long bpf_map_delete_elem(void *map, const void *key);
long bpf_ringbuf_output(void *ringbuf, void *data, u64 size, u64 flags);
void *bpf_ringbuf_reserve(void *ringbuf, u64 size, u64 flags);
void bpf_ringbuf_submit(void *data, u64 flags);
long bpf_probe_read_user(void *dst, u32 size, const void *address);
long bpf_probe_read_kernel(void *dst, u32 size, const void *address);
long bpf_get_stack(void *ctx, void *buf, u32 size, u64 flags);
struct task_struct *bpf_get_current_task_btf(void);
void *bpf_task_storage_get(void *map, struct task_struct *task, void *value, u64 flags);
long bpf_find_vma(struct task_struct *task, u64 address, void *callback, void *ctx, u64 flags);
u64 bpf_get_attach_cookie(void *ctx);
u64 bpf_get_func_ip(void *ctx);
u64 bpf_ktime_get_ns(void);
long bpf_loop(u32 n, void *callback, void *ctx, u64 flags);
long bpf_tail_call(void *ctx, void *map, u32 index);

/* So that a test can let another thread win the race. */
u64 host__cas(u64 *word, u64 old, u64 new);
#define __sync_val_compare_and_swap(word, old, new) host__cas(word, old, new)
