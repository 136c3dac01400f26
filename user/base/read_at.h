/* SPDX-License-Identifier: GPL-2.0-only */
/* read_at: a part of a file, whatever pieces the kernel gives it in. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The number of bytes that were read: less than n at the end of the file and after an error. */
size_t read_at(int fd, uint64_t offset, void *buf, size_t n);
