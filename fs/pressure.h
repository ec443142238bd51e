/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pressure: how a successor behaves when the worker before it was killed for
 * want of memory.
 *
 * The arena does not die with a worker, so nothing was won by the kill, and the
 * request that asked for memory comes again. The successor gives back what is
 * free and allows the arena no more than it holds: deleting works, new content
 * gets ENOSPC. The background thread lifts that when there is room again.
 */
#ifndef FS_PRESSURE_H
#define FS_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;

/*
 * Processes that the kernel has killed for want of memory, in this process's
 * control group or, where that cannot be seen, anywhere. Only grows.
 */
uint64_t pressure_oom_kills(void);

/*
 * The worker is the first on a mount: put a spare (keep.h) by for the day when
 * memory is short, if it is not short already.
 */
void pressure_prepare(struct zsfs *fs);

/*
 * In a takeover after such a kill: give back, and hold still. The spare is given
 * up. What it leaves free is for deletions, overwrites and statistics (the
 * arena's reserve), and for the processes of the next takeover.
 */
void pressure_begin(struct zsfs *fs);

/* Lift it if there is room. True: still under pressure, look again. */
bool pressure_check(struct zsfs *fs);

/* mem_limit is @bytes from now on (0 = none), or less under pressure. */
void pressure_set_limit(struct zsfs *fs, uint64_t bytes);

#endif
