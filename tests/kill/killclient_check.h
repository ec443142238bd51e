/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: comparing the file system with the model. */
#ifndef KILLCLIENT_CHECK_H
#define KILLCLIENT_CHECK_H

#include "killclient_tree.h"

/* A descriptor of @n: the one kept open, or a new one. */
int check_open(struct tree *t, struct node *n, int flags, char *path);
void check_close(struct node *n, int fd, const char *path);

void check_stat(const struct stat *st, struct node *n, const char *path);
void check_entry(struct tree *t, struct entry *e);
void check_dir(struct tree *t, struct node *dir);
void check_range(struct tree *t, struct node *n, int fd, size_t off, size_t len,
		 const char *path);
/* All of a file, after the page cache was dropped if @drop. */
void check_file(struct tree *t, struct node *n, bool drop);
void check_drop(int fd, const char *path);
void check_tree(struct tree *t);

#endif
