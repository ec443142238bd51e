/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pressure: how a successor behaves when the worker before it was killed for
 * want of memory.
 *
 * The arena does not die with a worker, so nothing was won by the kill, and the
 * request that asked for memory comes again. The successor gives back what is
 * free and lets no new content in beyond what the arena holds then (ENOSPC). It
 * gives up the spare (shared_page.h), too: what that leaves free is for
 * deletions, overwrites and statistics (the arena's reserve, beyond what it
 * holds), and for the processes of the next takeover. The background thread
 * lifts it all when there is room again: 64 MiB, or a quarter of what the
 * control group may have.
 */
#ifndef FS_PRESSURE_H
#define FS_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;

/*
 * In a takeover, before anything is executed: look whether memory is short and
 * something was killed for it since the last time (@oom_kills is
 * machine_read_oom()), and put the limits right that a dead worker may have
 * been setting. Safe to be killed in and to be called again. Needs zsfs.shared.
 */
void pressure_look(struct zsfs *fs, uint64_t oom_kills);

/*
 * Hold still from now on, and no longer. Either may be killed or called again
 * at any point. pressure_begin(): no operation is under way. Both need
 * zsfs.shared.
 */
void pressure_begin(struct zsfs *fs);
void pressure_end(struct zsfs *fs);

/*
 * The background thread, outside of its gate: lift the pressure if there is
 * room, and take the spare back. True: there is none, look again.
 */
bool pressure_check(struct zsfs *fs);

#endif
