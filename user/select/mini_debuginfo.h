/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mini_debuginfo: the symbol table that distributions like Fedora leave in stripped files: section .gnu_debugdata holds
 * an ELF file, compressed by xz, with the names of the functions that the dynamic symbol table lacks (GDB manual,
 * "MiniDebugInfo").
 *
 * It is unpacked here and not by libdw, which would do so on the way only, in a file that it maps, and without limits:
 * a file of a few kilobytes can ask for gigabytes.
 */
#pragma once

#include <libelf.h>
#include <stdint.h>

/*
 * Unpack the mini debuginfo of a file. Returns a descriptor of a memfd (close-on-exec, the caller's, hostile input like
 * the file it comes from); its size in bytes is taken off *memory, which is not exceeded. -ENOENT: the file has none;
 * -EFBIG: more than any real one has, or than *memory; -EINVAL: broken; -ENOMEM.
 */
int mini_debuginfo__open(Elf *elf, uint64_t *memory);
