/* SPDX-License-Identifier: BSD-3-Clause */
/* killclient: the directory in which all workers make and remove files. */
#ifndef KILLCLIENT_SHARED_H
#define KILLCLIENT_SHARED_H

/* The parent, before and after all workers. */
void shared_make(const char *root);
void shared_unmake(void);

/* A worker, and its names. */
void shared_begin(unsigned worker);
void shared_change(void);
void shared_list(void);
void shared_end(void);

#endif
