/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replacement: a newly installed program takes a live mount over.
 *
 * The keeper starts the new program as a standby. If that cannot use the arena
 * (another layout), it says so and ends, and the old worker goes on. Else the
 * old worker finishes the requests it is at and leaves, the new one takes over
 * as it would from a dead one, and at last the keeper becomes the new program
 * itself, with the same process id and children.
 *
 * Which program: the one that asks (zsfs --replace), or, when SIGUSR2 comes
 * from elsewhere, whatever is now where the keeper's own program was.
 *
 * Compatibility: a program takes over what has the same ARENA_VERSION, layout
 * of the pool, ZSFS_LAYOUT and SHARED_VERSION, the same sizes of structures,
 * and what the same INIT would be answered by. Any change of a structure in
 * arena or shared page must bump its number.
 */
#ifndef FS_REPLACE_H
#define FS_REPLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "state/shared_page.h"

struct signalfd_siginfo;

/* The keeper's side. */
struct replace {
	struct shared_page *k;
	pid_t pid; /* of the new program's worker, 0 = none */
	bool draining;
	bool served;	   /* the new worker did, and has died since */
	uint64_t deadline; /* milliseconds, of the step under way */
	char before[SHARED_PATH_SIZE]; /* shared_state.binary, if it comes to
					  nothing */
};

void replace_init(struct replace *r, struct shared_page *k);
static inline bool replace_under_way(const struct replace *r)
{
	return r->pid != 0 || r->served;
}

/* SIGUSR2 came, none is under way, and the keeper has no standby any more. */
void replace_begin(struct replace *r, const struct signalfd_siginfo *info);

/*
 * @active: the worker that serves, a child not waited for yet; 0 = it has died.
 * Look whether the next step can be taken. Does not return when the keeper
 * becomes the new program. True: it has ended, well or not.
 */
bool replace_step(struct replace *r, pid_t active);

/* Nothing comes of it, if one is under way; logged with the reason @why. */
void replace_abandon(struct replace *r, const char *why);

/*
 * Was that the new worker, before it served? Then the replacement has failed.
 */
bool replace_child_died(struct replace *r, pid_t pid, int status);

/* zsfs --replace MOUNTPOINT: ask the keeper, wait, say what came of it. */
int replace_command(const char *mountpoint);

#endif
