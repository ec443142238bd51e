/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel is told about inodes that it has cached. */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include <stdint.h>

struct zsfs_slot;

/*
 * Make the kernel forget the cached attributes of @nodeid, through the
 * connection @fd, and @len bytes of content from @off on, 0: all there is; with
 * a negative @off none. Pages are written back first and waited for. 0 or
 * -errno; -ENOENT: the kernel does not know the inode, so there was nothing to
 * forget.
 */
int notify_inode(int fd, uint64_t nodeid, int64_t off, int64_t len);

/* The attributes alone. */
int notify_attr(int fd, uint64_t nodeid);

/*
 * Before the request in @slot is executed: note the directories whose names it
 * changes, and files that may lose set-uid, that are written late, that get
 * room or a hole and keep their size, or whose flags or extended attributes are
 * set. What is renamed is noted by rename
 * itself (namei.c). Where the kernel caches writes, a SETATTR of nothing but
 * the times, of a file that is not open for writing, comes from one that has
 * just lost or got a link: the kernel has counted that by itself, perhaps on
 * top of what a GETATTR said meanwhile.
 */
void notify_note(struct zsfs_slot *slot);

/*
 * Before a recorded answer is sent: have the kernel drop what it knows, or is
 * about to learn from older answers, of the inodes that the request in @slot
 * touched. For the directory of a name that was made or removed, and for what
 * was renamed, the kernel only notes that attributes are old, and takes an
 * answer given before that for new, for ever; the notification makes it refuse
 * such answers. (What was unlinked, replaced, set or written to it guards by
 * itself.) A directory that was moved loses its cached listing, too, in which
 * ".." is the old parent.
 */
void notify_touched(int fd, const struct zsfs_slot *slot);

#endif
