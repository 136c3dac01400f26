/* SPDX-License-Identifier: GPL-2.0-only */
/* host_memory: the memory of the target of host_bpf. */
#include "host_bpf.h"

#define WORDS 8192

static struct {
	u64 address, value;
} words[WORDS];
static struct {
	u64 address, size;
	const unsigned char *bytes;
} regions[HOST_REGIONS];
static unsigned int n_regions;

void host__forget_memory(void)
{
	memset(words, 0, sizeof(words));
	n_regions = 0;
}

/* Open addressing, without removal. 0 is no address of a target. */
static unsigned int word_at(u64 address)
{
	unsigned int i = (address >> 3) * 2654435761u % WORDS, tries;

	for (tries = 0; words[i].address && words[i].address != address; tries++) {
		assert_true(tries < WORDS);
		i = (i + 1) % WORDS;
	}
	return i;
}

void host__poke(u64 address, u64 value)
{
	unsigned int i = word_at(address);

	assert_int_equal(address & 7, 0);
	words[i].address = address;
	words[i].value = value;
}

u64 host__peek(u64 address)
{
	return words[word_at(address)].value;
}

void host__add_memory(u64 address, const void *bytes, u64 size)
{
	assert_true(n_regions < HOST_REGIONS);
	regions[n_regions].address = address;
	regions[n_regions].bytes = bytes;
	regions[n_regions++].size = size;
}

static const unsigned char *byte_at(u64 address)
{
	unsigned int i = word_at(address & ~7ull);

	if (address >= 8 && words[i].address == (address & ~7ull))
		return (unsigned char *)&words[i].value + (address & 7);
	for (i = 0; i < n_regions; i++) {
		if (address - regions[i].address < regions[i].size)
			return regions[i].bytes + (address - regions[i].address);
	}
	return NULL;
}

long bpf_probe_read_user(void *dst, u32 size, const void *address)
{
	u32 i;

	if (host.before_read)
		host.before_read((u64)address);
	for (i = 0; i < size; i++) {
		const unsigned char *byte = byte_at((u64)address + i);

		if (!byte) {
			memset(dst, 0, size);
			return -HOST_EFAULT;
		}
		((unsigned char *)dst)[i] = *byte;
	}
	return 0;
}

long bpf_probe_read_kernel(void *dst, u32 size, const void *address)
{
	memcpy(dst, address, size);
	return 0;
}
