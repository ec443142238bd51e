/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: extended attributes of files and directories. */
#ifndef KILLCLIENT_XATTR_H
#define KILLCLIENT_XATTR_H

#include "killclient_tree.h"

/* Set, replace or remove one, or try what must fail, and check them all. */
void xattr_change(struct tree *t);
void xattr_check(struct tree *t, const struct node *n, const char *path);

#endif
