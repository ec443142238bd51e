/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preflight: what can be known to go wrong before anything is mounted, said in
 * words that tell what to do.
 */
#ifndef FS_PREFLIGHT_H
#define FS_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>

/* Room that is enough for every message. */
#define PREFLIGHT_MSG_SIZE 1024u

/*
 * Make @path absolute and free of symbolic links, and check that it is a
 * directory that may be mounted on. Returns a string that the caller frees, or
 * NULL with a sentence in @msg.
 */
char *preflight_mountpoint(const char *path, bool privileged, char *msg,
			   size_t size);

/* Is the directory @full, as preflight_mountpoint() returned it, one's root? */
bool preflight_is_zsfs(const char *full);

/*
 * Is the directory @full, as preflight_mountpoint() returned it, the root of a
 * zsfs that works? Then mounting there would hide it. 0, or -EBUSY and a
 * sentence.
 */
int preflight_not_mounted(const char *full, char *msg, size_t size);

/*
 * Are @page_size bytes, the kernel's page, what the arena is made of? 0, or
 * -EOPNOTSUPP and a sentence.
 */
int preflight_machine(long page_size, char *msg, size_t size);

/*
 * Would somebody expect of @source, which is only a name, that it is made use
 * of? 0, or -EINVAL and a sentence.
 */
int preflight_source(const char *source, char *msg, size_t size);

/* Can the device (normally /dev/fuse) be used? 0 or -errno and a sentence. */
int preflight_device(const char *dev, char *msg, size_t size);

/*
 * Is there what an ordinary user needs: fusermount3 in @path (as of $PATH), and
 * for allow_other the permission in @conf (/etc/fuse.conf)? 0 or -errno and a
 * sentence.
 */
int preflight_user(const char *path, const char *conf, bool allow_other,
		   char *msg, size_t size);

#endif
