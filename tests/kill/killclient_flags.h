/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: flags of inodes (chattr), and what they forbid. */
#ifndef KILLCLIENT_FLAGS_H
#define KILLCLIENT_FLAGS_H

#include "killclient_tree.h"

/* Other flags for some file or directory, for a moment also forbidding ones. */
void flags_change(struct tree *t);

#endif
