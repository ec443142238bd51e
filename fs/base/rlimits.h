/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resource limits (ulimit): those that whoever starts us has, as batch systems
 * give them. tmpfs knows none. Ours are raised as far as the system permits;
 * with what is left of file size and address space, the arena is made smaller.
 */
#ifndef FS_RLIMITS_H
#define FS_RLIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Raise the limits of this process, and let none of them be a signal's death or
 * decide about the stacks of threads. First thing in main().
 */
void rlimits_raise(void);

/*
 * Raise RLIMIT_NICE, as far as that is permitted, so that who may have no
 * capability later can still leave SCHED_IDLE for the niceness that this
 * process has. True: it can.
 */
bool rlimits_allow_niceness(void);

/*
 * Have at most @n threads, together with all others of this process's user: for
 * one that cannot raise it again, and has not CAP_SYS_RESOURCE or
 * CAP_SYS_ADMIN.
 */
void rlimits_bound_threads(unsigned n);

/*
 * Bytes of address space that an arena can have, whole segments, at most
 * ARENA_SIZE, when @other bytes are needed beside it; 0 when there is not even
 * that. *@name: the limit that makes it less, in ulimit's words ("ulimit -v"),
 * else NULL.
 */
uint64_t rlimits_arena_size(uint64_t other, const char **name);

/*
 * To follow the text of the error @err: the limit that it may come from, or "".
 */
const char *rlimits_behind(int err);

#endif
