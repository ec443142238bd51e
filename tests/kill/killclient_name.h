/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: operations on names, done to the file system and the model. */
#ifndef KILLCLIENT_NAME_H
#define KILLCLIENT_NAME_H

#include "killclient_tree.h"

/* A new regular file in the root, kept open. */
struct node *name_pinned(struct tree *t, const char *name);
void name_make(struct tree *t);	    /* anything new */
void name_nameless(struct tree *t); /* O_TMPFILE, and a link of it */
void name_link(struct tree *t);
void name_rename(struct tree *t);
void name_whiteout(struct tree *t);
void name_replace(struct tree *t);
void name_exchange(struct tree *t);
void name_remove(struct tree *t);
void name_refused(struct tree *t); /* something that must fail */
/* Remove everything, the root too. */
void name_remove_all(struct tree *t);

#endif
