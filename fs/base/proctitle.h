/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Process titles: what ps(1) shows in place of a process's command line.
 *
 * The title lies where the kernel reads the command line from: over the
 * arguments and, where they are too short, the environment behind them.
 */
#ifndef FS_PROCTITLE_H
#define FS_PROCTITLE_H

/*
 * Remember where the arguments are, and move the environment out of the way.
 * Called once, from main(), with its arguments, before threads are started.
 * With no memory for that the command line stays as it is.
 */
void proctitle_init(int argc, char **argv);

/*
 * Show the calling process as "zsfs: ROLE MOUNTPOINT", cut where there is no
 * room. From here on no pointer into the arguments may be used. Touches memory
 * that every later call has at hand; one thread at a time.
 */
void proctitle_set(const char *role, const char *mountpoint);

#endif
