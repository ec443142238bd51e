/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of stats.c. */
#ifndef FS_STATS_I_H
#define FS_STATS_I_H

#include <stdint.h>

#include "base/textbuf.h"
#include "state/tx.h"

struct zsfs;

/* A counter's value; never below 0, whatever changes while it is summed up. */
uint64_t stats_counter(const struct zsfs *fs, enum zsfs_stat s);

/*
 * stats.json into an empty @t. Always a complete object: what there is no room
 * for is left out.
 */
void stats_json(struct zsfs *fs, struct textbuf *t);

#endif
