/* SPDX-License-Identifier: GPL-2.0-only */
/* Stand-in: the real types, of which gcc takes all but the relocation attribute. abi.h must not add its own u64. */
#pragma once

#define __bpf__
#include "../../../vmlinux/vmlinux.h"
