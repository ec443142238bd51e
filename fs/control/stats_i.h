/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of stats.c. */
#ifndef FS_STATS_I_H
#define FS_STATS_I_H

#include "base/textbuf.h"

struct zsfs;

/*
 * stats.json into an empty @t. Always a complete object: what there is no room
 * for is left out.
 */
void stats_json(struct zsfs *fs, struct textbuf *t);

#endif
