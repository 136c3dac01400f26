/* SPDX-License-Identifier: GPL-2.0-only */
/* host_vma: the mappings of the target of host_bpf, as its kernel knows them. */
#pragma once

#include "host_bpf.h"

#define HOST_VMAS  8
#define HOST_FILES 4

/* A file that can be mapped, by its number from 0. */
struct lt_file_key host__file_key(unsigned int file);

#define HOST_NO_FILE HOST_FILES

/* From here to there the file is mapped, from this offset in it on. */
void host__map(u64 start, u64 end, unsigned int file, u64 offset, bool executable);

/* Nothing is mapped; nobody has asked yet. */
void host__forget_vmas(void);

/* How often the kernel was asked. */
unsigned int host__times_asked(void);
