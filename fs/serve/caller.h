/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The caller: the process whose request is being executed. What the request
 * does not say of it stands in its /proc/PID/status: it waits for the answer,
 * unless it is not visible from here.
 */
#ifndef FS_CALLER_H
#define FS_CALLER_H

#include <stdbool.h>
#include <stdint.h>

struct zsfs;

/*
 * Its uid for file systems, as it is at the moment. Where mounts may be
 * idmapped only requests that create name it. Who is not visible is UINT32_MAX.
 */
uint32_t caller_uid(void);

/*
 * Is the file @nodeid one with set-group-ID and without execute permission for
 * its group, and the caller not in that group? The kernel keeps set-group-ID
 * then for members, and does not tell who is one. Who is not visible is none.
 */
bool caller_is_stranger(struct zsfs *fs, uint64_t nodeid);

#endif
