/* SPDX-License-Identifier: GPL-2.0-only */
/* work_limit: CPU time that work on one hostile file may take in all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct work_limit {
	uint64_t left_ns;
	uint64_t started_ns;
	unsigned int steps;
};

void work_limit__start(struct work_limit *w);
bool work_limit__exceeded(struct work_limit *w); /* cheap; call once a step */
void work_limit__stop(struct work_limit *w);
