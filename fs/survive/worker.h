/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Worker: a process that serves the mount, or stands by to.
 *
 * A worker maps the arena, starts its threads, and, unless it is the first,
 * waits until all threads of the active worker have died. Then it takes over
 * (takeover.h) and is the active one.
 */
#ifndef FS_WORKER_H
#define FS_WORKER_H

#include <stdbool.h>

struct shared_page;

/* Exit codes, for the keeper. A worker killed by a signal has none. */
enum worker_exit {
	WORKER_UNMOUNTED = 0, /* the mount is gone, or the end was wanted */
	WORKER_FAILED = 1,    /* anything; another one may do better */
	WORKER_REFUSED = 3,   /* the arena is not one this program can use */
	WORKER_DRAINED = 4,   /* left when asked to */
	WORKER_STUCK = 5,     /* unmounted, but files were still open */
	WORKER_FIT = 6,	      /* worker_try(): it could serve */
};

/*
 * The life of a worker, in a process of its own with one thread and the signals
 * of daemon_block_signals() blocked. From here on the keeper's part of the
 * shared page can only be read. @first: there was none before, the mount is
 * new. @attached: it has the files of whoever started the keeper, and leaves
 * them when shared_state.detach says so.
 */
_Noreturn void worker_main(struct shared_page *k, unsigned bank, bool first,
			   bool attached);

/*
 * In a program just executed, which may replace the keeper's: get ready as a
 * standby does, and end.
 */
_Noreturn void worker_try(struct shared_page *k, unsigned bank);

#endif
