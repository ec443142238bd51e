/* SPDX-License-Identifier: BSD-3-Clause */
/* Ending a child process, which may do what it likes against that. */
#ifndef FS_CHILD_H
#define FS_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Kill a child, wait for its end, and set *@pid to 0; does nothing when that is
 * 0. One that waits in the kernel, as for an answer of its own mount, may not
 * end for as long as the mount is there: it is left to itself after some
 * seconds, and whoever waits for any child finds it later. False: that is so.
 */
bool child_stop(pid_t *pid);

#endif
