/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeper: the process that holds the mount and lets workers serve it.
 *
 * It holds the connection and the arena's file, starts the first worker and
 * always one standby, and waits. A worker that dies is followed by the standby
 * without the keeper's doing; the keeper starts the next standby, counts, and
 * gives up when KEEPER_GIVE_UP workers in a row died without achieving
 * anything. While no process can be started at all it waits, and while too many
 * that were killed have not died. It maps no data and allocates nothing once
 * the mount works.
 *
 * Signals: SIGTERM, SIGINT and SIGHUP unmount; SIGUSR2 replaces the program of
 * the keeper itself and then of the workers (replace.h).
 *
 * A worker may have been taken over by what it read. So all that the keeper
 * mounts, executes, signals or waits for comes from its own memory and from the
 * kernel; what workers say (shared_page.h) only makes it look, and lets a child
 * of its be the one that serves. No wait for a worker is without an end but
 * that for the first one's start, which a signal ends. A keeper of root's has
 * the capabilities that it and its children need, and no others.
 */
#ifndef FS_KEEPER_H
#define FS_KEEPER_H

#include <stdbool.h>

struct daemon;
struct shared_page;

/*
 * Deaths in a row without progress (shared_state.progress) after which it gives
 * up: of the active worker, unless somebody killed it, and with nobody serving
 * of those that were to take over.
 */
#define KEEPER_GIVE_UP 100u

/*
 * Start the first worker on a new mount, tell @d when the mount works, and keep
 * it to its end. Returns the exit code of the process. The shared page is
 * filled in but for what workers write; signals are blocked
 * (daemon_block_signals()).
 */
int keeper_run(struct shared_page *k, struct daemon *d);

/* The same in a program that replaces another one's keeper, workers and all. */
int keeper_resume(struct shared_page *k);

#endif
