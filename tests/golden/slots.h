/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slots: stack words that hold a return address, as they were before a return probe replaced them by the address of the
 * kernel's own page. Recorded at the first instruction of a function, which comes before its uprobe.
 */
#pragma once

#include <stdint.h>

struct slots {
	struct slot {
		uint64_t address, value;
	} * at;
	uint64_t size, n;
};

/* The word at this address now holds this return address. */
void slots__set(struct slots *s, uint64_t address, uint64_t value);
/* What was last recorded for this address; 0: nothing. */
uint64_t slots__get(const struct slots *s, uint64_t address);
void slots__free(struct slots *s);
