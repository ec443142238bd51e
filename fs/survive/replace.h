/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replacement: a newly installed program takes a live mount over.
 *
 * The keeper tries the new program first: it gets ready as a standby would, and
 * ends. If it cannot use the arena (another layout), its exit code says so, and
 * the old program goes on. Else the keeper becomes the new program, with the
 * same process id and children. It starts a standby of its own, has the old
 * worker finish the requests it is at and leave, and the standby takes over as
 * it would from a dead one (keeper_handover.c). With that the replacement is
 * done.
 *
 * Which program: the one that asks (zsfs --replace), or, when SIGUSR2 comes
 * from elsewhere, whatever is now where the keeper's own program was. Only a
 * signal by kill(2) is one that asks: the kernel says who sent that, and
 * whoever did is the program that will run (program.h).
 *
 * Compatibility: a program takes over what has the same ARENA_VERSION, layout
 * of the pool, ZSFS_LAYOUT and SHARED_VERSION, the same sizes of structures,
 * and what the same INIT would be answered by. Any change of a structure in
 * arena or shared page must bump its number.
 *
 * A program is run as "zsfs ROLE FD BANK MOUNTPOINT". ROLE is --worker, for the
 * trial, or --keeper; FD that of the shared page (shared_page_open()); BANK the
 * worker's; the mountpoint makes room for the title. It inherits the
 * descriptors of the shared page.
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
	int program;	   /* descriptor, -1 = none */
	pid_t pid;	   /* of the new program on trial, 0 = none */
	bool passed;	   /* the trial */
	uint64_t deadline; /* milliseconds, of the trial */
};

void replace_init(struct replace *r, struct shared_page *k);
static inline bool replace_under_way(const struct replace *r)
{
	return r->pid != 0 || r->passed;
}

/*
 * SIGUSR2 came, none is under way, and the keeper has no standby any more,
 * whose bank the trial uses.
 */
void replace_begin(struct replace *r, const struct signalfd_siginfo *info);

/*
 * @active: the worker that serves, a child not waited for yet; 0 = it has died.
 * Look whether the next step can be taken. Does not return when the keeper
 * becomes the new program. True: it has come to nothing.
 */
bool replace_step(struct replace *r, pid_t active);

/* SIGUSR2 came at a time when nothing can come of it; logged with @why. */
void replace_decline(struct replace *r, const char *why);

/* Nothing comes of it, if one is under way; logged with the reason @why. */
void replace_abandon(struct replace *r, const char *why);

/* Was that the trial? Then its status is all there is to say of it. */
bool replace_child_died(struct replace *r, pid_t pid, int status);

/* zsfs --replace MOUNTPOINT: ask the keeper, wait, say what came of it. */
int replace_command(const char *mountpoint);

#endif
