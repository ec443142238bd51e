/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The caller: the process whose request is being executed. No request names its
 * groups, so its /proc/PID/status is read: it waits for the answer, unless it
 * is not visible from here.
 */
#ifndef FS_CALLER_H
#define FS_CALLER_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;

/*
 * Is the file @nodeid one with set-group-ID and without execute permission for
 * its group, and the caller not in that group? The kernel keeps set-group-ID
 * then for members, and does not tell who is one. Who is not visible is none.
 */
bool caller_is_stranger(struct zsfs *fs, uint64_t nodeid);

#endif
