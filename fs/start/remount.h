/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Remount: changing a live mount by "mount -o remount,..".
 *
 * mount(8) lets its helper do that, too. Limits and compression are set in the
 * daemon, through the mount itself, so whoever mounted may; flags in the
 * kernel, by root. Everything else was fixed by the mount: naming it again is
 * no fault, since mount(8) repeats what is in fstab, but changing it is.
 */
#ifndef FS_REMOUNT_H
#define FS_REMOUNT_H

#include "options.h"

/* All of it or, with a message, nothing. The exit code. */
int remount_command(const struct zsfs_options *o);

#endif
