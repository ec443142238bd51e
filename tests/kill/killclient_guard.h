/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: what a worker holds the whole time: an unlinked file, locks. */
#ifndef KILLCLIENT_GUARD_H
#define KILLCLIENT_GUARD_H

#include "killclient_tree.h"

void guard_begin(struct tree *t);
void guard_append(struct tree *t);
void guard_locks(struct tree *t);
void guard_end(struct tree *t);

#endif
