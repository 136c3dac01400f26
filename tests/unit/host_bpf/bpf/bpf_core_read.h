/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in for libbpf's: reads our own memory; through a null pointer it reads zero, as the kernel's helper leaves it.
 */
#pragma once

#include <string.h>

#define HOST_READ1(src, a)	 ((src) ? (src)->a : (typeof((src)->a))0)
#define HOST_READ2(src, a, b)	 HOST_READ1(HOST_READ1(src, a), b)
#define HOST_READ3(src, a, b, c) HOST_READ1(HOST_READ2(src, a, b), c)

#define HOST_PICK(_1, _2, _3, name, ...) name
#define BPF_CORE_READ(src, ...)		 HOST_PICK(__VA_ARGS__, HOST_READ3, HOST_READ2, HOST_READ1)(src, __VA_ARGS__)
#define bpf_core_read(dst, size, src)	 memcpy(dst, src, size)
#define bpf_core_field_exists(field)	 1
