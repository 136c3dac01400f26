/* SPDX-License-Identifier: GPL-2.0-only */
/* plan_families: what plans of tests look for. */
#pragma once

#include "probe/plan.h"

static const struct family *const libc_only[] __attribute__((unused)) = {&family_libc, NULL};
static const struct family *const cxx_only[] __attribute__((unused)) = {&family_cxx, NULL};
static const struct family *const all_families[] __attribute__((unused)) = {
	&family_libc, &family_malloc, &family_jemalloc, &family_tcmalloc, &family_mimalloc, &family_cxx, NULL};
