/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Alone: one process that mounts and serves, as with the option nosurvive. Its
 * death is the end of the content.
 */
#ifndef FS_ALONE_H
#define FS_ALONE_H

#include <stdbool.h>

struct daemon;
struct zsfs;

/*
 * Serve @fs on the connection @fd, mounted on @mountpoint, until it is
 * unmounted; tells @d when the mount works. Takes @fd over. The exit code.
 * Signals are blocked (daemon_block_signals()).
 */
int alone_serve(struct zsfs *fs, int fd, const char *mountpoint, bool debug,
		struct daemon *d);

#endif
