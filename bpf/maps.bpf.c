/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map and global, once. Sizes given as 1 are set before load, from the options. */
#include "maps.h"

char LICENSE[] SEC("license") = "GPL";

const volatile u32 cfg_max_sites = 1;
const volatile u64 cfg_min_size = 0;
const volatile u64 cfg_max_size = ~0ull;
const volatile u32 cfg_pidns = 0;
const volatile bool cfg_vm_children_hit = false;
const volatile bool cfg_events = false;
const volatile bool cfg_never = false;
const volatile bool cfg_sessions = false;
const volatile bool cfg_find_vma = false;

/* Ids by BPF, windows and birth slots by user space. */
struct lt_state state = {};

/* Outstanding blocks. Owner: alloc/free handlers. --max-blocks; entries are allocated as they are needed. */
struct map_blocks blocks SEC(".maps");

/* Pool → the address that it handed out last. Owner: alloc and reset handlers. --max-blocks where a hooked family has
 * pools, else 1. */
struct map_pools pools SEC(".maps");

/* Address that a pool has handed out → the one before. Owner: alloc and reset handlers. As large as pools. */
struct map_pooled pooled SEC(".maps");

/* By site id. Owner: handlers add, user space reads through mmap. --max-sites, then one overflow site for each slot. */
struct map_sites sites SEC(".maps");

/* Stack hash → site id. Owner: handlers. --max-sites. */
struct map_site_ids site_ids SEC(".maps");

/* By slot. Owner: handlers add, user space reads through mmap. */
struct map_slots slots SEC(".maps");

/* Address space, as a process sees it → slot. Owner: the first hit in it; for a child that shares it: its fork and
 * exit. */
struct map_slot_ids slot_ids SEC(".maps");

/* Pids (in the tracer's namespace) whose exec, exit and fork are reported → their space. Owner: user space; exec takes
 * the space away. */
struct map_targets targets SEC(".maps");

/* Per thread: pending calls and scratch. Freed by the kernel with the thread. */
struct map_tasks tasks SEC(".maps");

/* By attach cookie: the hooked functions. Owner: user space, filled before a function is attached. */
struct map_fns fns SEC(".maps");

/* By lt_fn.module: whose calls are nested ones. Owner: user space, filled with fns. */
struct map_modules modules SEC(".maps");

/* By enum lt_counter: losses. Owner: whoever loses something. */
struct map_counters counters SEC(".maps");

/* Probe hits. Owner: every probe. */
struct map_hits hits SEC(".maps");

/* Records to user space: each new stack once, and the life of processes. 8 MiB: about 8000 stacks of full depth, or 240
 * of those that user space has to walk. */
struct map_ring ring SEC(".maps");

/* Unwind rows of all files, each file's together. Owner: user space, through mmap; twice what is needed at the start,
 * at least LT_MIN_ROWS. */
struct map_rows rows SEC(".maps");

/* Executable mappings of all address spaces, each one's together. Owner: user space, through mmap. */
struct map_mappings mappings SEC(".maps");

/* By space: which of these are its mappings. Owner: user space, through mmap; the loader's notices mark them stale. */
struct map_spaces spaces SEC(".maps");

/* Files with rows in the map. Owner: user space. */
struct map_files files SEC(".maps");

/* By hash of pc and generation: the rule that holds there. Owner: the walker. 384 KiB, for some thousand places. */
struct map_rules rules SEC(".maps");
/* For -t, see event.h. 8 MiB then, else one page that nobody uses. Owner: the handlers. */
struct map_events events SEC(".maps");

/* Always empty, see refuse_private_stack(). */
struct map_no_programs no_programs SEC(".maps");
