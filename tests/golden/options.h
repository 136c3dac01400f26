/* SPDX-License-Identifier: GPL-2.0-only */
/* options: what golden is asked for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tracee.h"

struct options {
	const char *input, *output, *module;
	char *functions[MAX_BREAKPOINTS]; /* that are walked at */
	unsigned int n_functions;
	char *returns[MAX_BREAKPOINTS]; /* MODULE:NAME, whose return addresses are remembered */
	unsigned int n_returns;
	uint64_t stops, every;
	bool only_start, no_guesses;
	char **command;
};

/* Complains and ends the process where they make no sense. */
void options__parse(struct options *o, int argc, char **argv);
