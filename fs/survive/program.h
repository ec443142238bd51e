/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Program: the executable file that the keeper is about to run. It is opened
 * first, checked, and then run by its descriptor: what was checked is what
 * runs, wherever its path may lead by then, and in whichever mount namespace it
 * is.
 *
 * What a root keeper runs may be written by nobody but root: the file belongs
 * to root or to who mounted, and nobody else may write to it. In a user
 * namespace a file of somebody it does not map is taken, too: all that runs
 * there is that user's own decision.
 */
#ifndef FS_PROGRAM_H
#define FS_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

/* The name (comm) of a process that asks to be run in the keeper's place. */
#define PROGRAM_ASKS "zsfs-replace"

/*
 * The program of process @pid, which has sent a signal: a descriptor to run it
 * by (close-on-exec, the caller's). -ENOENT when the process does not ask, or
 * cannot be looked at. It may have ended, and its number be another's: that
 * does not have the name. Only root and who mounted may ask.
 */
int program_of(pid_t pid);

/* The same of what is at @path now. -errno. */
int program_at(const char *path);

/* May it be run? 0, or -EACCES and a sentence in @why. */
int program_check(int fd, char *why, size_t size);

/* Where it is: its path, if that leads to it in this namespace; else "". */
void program_path(int fd, char *path, size_t size);

/* Run it in the place of this process. Returns only -errno. */
int program_run(int fd, char *const argv[]);

#endif
