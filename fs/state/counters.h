/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters (enum zsfs_stat): each slot has cells of its own, which only its
 * thread writes, so that counting needs no lock. A transaction's changes are
 * put there by its commit (tx_stat()).
 */
#ifndef FS_COUNTERS_H
#define FS_COUNTERS_H

#include "layout.h"

struct zsfs;
struct zsfs_thread;

/* Count something at once, whatever becomes of the transaction. */
void zsfs_stat_bump(struct zsfs_thread *th, enum zsfs_stat s);

/*
 * Sum of a counter over all slots. Any thread; while others count it may be
 * what it never was, and below 0.
 */
int64_t zsfs_stat_sum(const struct zsfs *fs, enum zsfs_stat s);

/* The same, never below 0. */
uint64_t zsfs_stat_get(const struct zsfs *fs, enum zsfs_stat s);

#endif
