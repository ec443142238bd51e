/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for room (see room.h). */
#include "room.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "clock.h"
#include "reap.h"
#include "zsfs_i.h"

#define WAIT_MSECS 1000
#define LOOK_USECS 500
/* Steps of freeing between two attempts. */
#define STEPS 8u

/* Free some of what was deleted, or let others go on. False: none will come. */
static bool await_room(struct zsfs_thread *th)
{
	struct zsfs *fs = th->fs;
	unsigned steps = 0;

	while (steps < STEPS && reap_step(th))
		steps++;
	reap_hand_over(th);
	if (steps)
		return true;
	if (zsfs_stat_sum(fs, ST_REAPING) <= 0 && !zs_is_compacting(fs->pool))
		return false;
	zsfs_leave(th);
	usleep(LOOK_USECS);
	zsfs_enter(th);
	return true;
}

int room_write(struct zsfs_thread *th, struct tx **tx, uint64_t nodeid,
	       const void *buf, size_t size, uint64_t off, unsigned flags,
	       size_t *done)
{
	uint64_t until = clock_ms() + WAIT_MSECS;
	int err;

	for (;;) {
		*tx = tx_begin(th);
		err = zsfs_write(*tx, nodeid, buf, size, off, flags, done);
		if (err != -ENOSPC || clock_ms() >= until)
			return err;
		tx_abort(*tx, err);
		if (!await_room(th))
			until = 0;
	}
}
