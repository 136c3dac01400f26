/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unwind/shared_array.h"

int shared_array__map(struct shared_array *a, const struct bpf_map *map, size_t elem)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = elem * bpf_map__max_entries(map);
	void *at;

	size = (size + page - 1) / page * page;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (at == MAP_FAILED)
		return -errno;
	a->at = at;
	a->size = size;
	return 0;
}

void shared_array__unmap(struct shared_array *a)
{
	if (a->at)
		munmap(a->at, a->size);
	a->at = NULL;
}
