/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Alone: one process that mounts and serves, as with the option nosurvive. Its
 * death is the end of the content.
 */
#ifndef FS_SINGLE_H
#define FS_SINGLE_H

#include <stdbool.h>

struct daemon;
struct zsfs;

struct single_params {
	const char *mountpoint;
	const char *mount_opts; /* as mounted, for libfuse */
	bool debug;		/* print requests */
};

/*
 * Serve @fs on the connection @fd until it is unmounted, and on the next one
 * when it is aborted; tells @d when the mount works. Takes @fd over. The exit
 * code. Signals are blocked (daemon_block_signals()).
 */
int single_serve(struct zsfs *fs, int fd, const struct single_params *p,
		 struct daemon *d);

#endif
