/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Disconnect: what a connection that has ended leaves in the arena.
 */
#ifndef FS_DISCONNECT_H
#define FS_DISCONNECT_H

struct zsfs;

/*
 * The kernel knows nothing any more: take back all that it was told, as if it
 * had sent a FORGET for it, and drop its requests with what is known of them.
 * Files without a name go to the reap list. The next request is FUSE_INIT.
 *
 * For the only thread that uses the file system, which is recovered. Safe to be
 * killed in and to be called again.
 */
void disconnect_clean(struct zsfs *fs);

#endif
