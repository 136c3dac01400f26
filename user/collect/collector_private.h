/* SPDX-License-Identifier: GPL-2.0-only */
/* collector_private: the collector's state, for its own files only. */
#pragma once

#include "abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/vec.h"
#include "collect/birth.h"
#include "collect/collector.h"
#include "collect/stacks.h"
#include "leaktrace.skel.h"

struct collector {
	struct leaktrace_bpf *bpf;
	struct images *images;
	struct collector_options options;
	struct ring_buffer *ring;
	struct stacks stacks;
	struct birth birth;
	/* The kernel's own counters, mapped. */
	struct lt_site *sites;
	struct lt_slot *slots;
	uint64_t *counters;
	size_t sites_size, slots_size, counters_size;
	uint64_t records_bad, leaders_gone;
	/* The last reading and its memory. */
	struct reading reading;
	VEC(struct site_reading) site_readings;
	VEC(struct image_reading) image_readings;
	struct age_bin *bins; /* LT_BIRTH_COUNTERS for each possible site */
};

/* Sites, and one overflow site for each slot. */
static inline uint64_t collector__n_sites(const struct collector *c)
{
	return c->options.max_sites + LT_MAX_SLOTS;
}

/* The address space of this slot is gone: its blocks leave the map. */
void collector__purge(struct collector *c, uint32_t slot);
