/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mount statistics: what stats.json of a mount says, for commands that ask
 * another process's mount.
 */
#ifndef FS_MOUNT_STATS_H
#define FS_MOUNT_STATS_H

#define MOUNT_STATS_SIZE (64u << 10)

/* Read it into @text, MOUNT_STATS_SIZE bytes. 0 or -errno. */
int mount_stats_read(const char *mountpoint, char *text);

/*
 * The number or word behind the first "key": in it, "" when there is none. It
 * is our own text, so there are no escapes; control characters, which others
 * may have, are question marks. Returns @room.
 */
const char *mount_stats_value(const char *text, const char *key,
			      char room[256]);

#endif
