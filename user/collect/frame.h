/* SPDX-License-Identifier: GPL-2.0-only */
/* frame: one address of a call stack, and the place in a file that it stood for when the stack arrived. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct module;

struct frame {
	uint64_t pc;		     /* as found on the stack */
	const struct module *module; /* NULL: no file is mapped there (JIT code, unmapped since) */
	uint64_t offset;	     /* file offset of pc, when module is set */
	bool is_return_address;	     /* name the instruction before it (the call) */
	const char *jit_name;	     /* terminal-safe, owned by the image: of code made at run time; NULL unknown */
	uint64_t jit_offset;	     /* of pc from the start of that function, when jit_name is set */
};

struct age_bin {
	double min_s, max_s; /* blocks in it are between these ages old */
	int64_t bytes, blocks;
};
