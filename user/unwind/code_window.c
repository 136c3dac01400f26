/* SPDX-License-Identifier: GPL-2.0-only */
#include "unwind/code_window.h"

const uint8_t *code_window__at(struct code_window *w, uint64_t address, size_t n)
{
	if (address < w->start || address - w->start > w->n || n > w->n - (address - w->start)) {
		w->start = address;
		w->n = unwind_file__read(w->file, address, w->bytes, sizeof(w->bytes));
	}
	return n <= w->n - (address - w->start) ? w->bytes + (address - w->start) : NULL;
}
