/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * debuginfod: debug files from a server, only for users who asked for it by setting DEBUGINFOD_URLS: otherwise nothing
 * goes out to the network. The client library is loaded when first needed; without it there is just no answer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A descriptor or a negative errno. */
int debuginfod__find(const uint8_t *build_id, size_t len);
