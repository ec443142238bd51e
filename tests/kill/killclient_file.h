/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: operations on one inode, done to the file system and the model.
 */
#ifndef KILLCLIENT_FILE_H
#define KILLCLIENT_FILE_H

#include "killclient_tree.h"

void file_write(struct tree *t);
void file_append(struct tree *t);
void file_append_to(struct tree *t, struct node *n, size_t len);
void file_read(struct tree *t);
void file_verify(struct tree *t);
void file_truncate(struct tree *t);
void file_allocate(struct tree *t);
void file_punch(struct tree *t);
void file_copy(struct tree *t);
void file_empty(struct tree *t); /* open(O_TRUNC) */
void file_map(struct tree *t);
void file_seek(struct tree *t);
void file_sync(struct tree *t);
void file_hold(struct tree *t); /* keep one open, or close one */
void file_chmod(struct tree *t);
void file_utimes(struct tree *t);
void file_stat(struct tree *t);

#endif
