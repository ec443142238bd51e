/* SPDX-License-Identifier: BSD-3-Clause */
/* The program zsfs, which zsctl calls. */
#ifndef FS_CTL_PROGRAM_H
#define FS_CTL_PROGRAM_H

/*
 * Become zsfs with @argv, whose first is filled in: the one beside this
 * program, else the first in $PATH; $ZSFS names another. Returns only with
 * errno.
 */
void program_exec_zsfs(char **argv);

#endif
