/* SPDX-License-Identifier: GPL-2.0-only */
/* stages: the BPF code loaded, and a session's stages made, in the order of the data flow. */
#pragma once

#include "cli/session.h"

/* For the targets of the session. Negative errno with a sentence. What was made so far is session__end()'s. */
int stages__load(struct session *s, struct err *e);
