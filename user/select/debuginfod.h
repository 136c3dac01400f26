/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * debuginfod: debug files from a server, only for users who asked for it by setting DEBUGINFOD_URLS: otherwise nothing
 * goes out to the network. The client library is loaded when first needed; without it there is just no answer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct debuginfod;

/* wait_ns: for all answers together, so that a slow server does not hold up the trace. NULL when out of memory. */
struct debuginfod *debuginfod__new(uint64_t wait_ns);
void debuginfod__free(struct debuginfod *d);

/* A descriptor, the caller's, or a negative errno. */
int debuginfod__find(struct debuginfod *d, const uint8_t *build_id, size_t len);
