/* SPDX-License-Identifier: GPL-2.0-only */
/* code_window: the code of a file, a piece at a time, for one who goes through it from low to high addresses. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "unwind/unwind_file.h"

#define CODE_WINDOW (256u << 10)

struct code_window {
	const struct unwind_file *file;
	uint64_t start;
	size_t n; /* bytes from start on; 0 at first */
	uint8_t bytes[CODE_WINDOW];
};

/* n <= CODE_WINDOW bytes of code, until the next call; NULL when the file does not have them all. */
const uint8_t *code_window__at(struct code_window *w, uint64_t address, size_t n);
