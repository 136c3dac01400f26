/* SPDX-License-Identifier: GPL-2.0-only */
/* privilege: may we trace here at all? Asked before anything else, so that the answer names what is missing. */
#pragma once

#include "base/err.h"
#include "probe/uprobe.h"

/* 0, -EPERM (a capability is missing), -ENOTSUP (the kernel lacks BTF); with a sentence that says which. */
int privilege__check(struct err *e);

/* Only the capabilities. */
int privilege__check_capabilities(struct err *e);

/* What a way to attach asks for beyond that: 0 or -EPERM with a sentence. */
int privilege__check_path(enum attach_path path, struct err *e);
