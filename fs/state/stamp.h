/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The clock that files are stamped with: the kernel's for tmpfs.
 *
 * Whoever compares a file here with one on another file system, as make does,
 * must find them in the order in which they were written. No clock that can
 * just be read gives that: the kernel stamps files with the time of the last
 * tick, but with the exact time when somebody has looked at the file's times
 * since their last change, and after that nothing with an earlier one
 * (multigrain timestamps, Linux 6.13 and later). With the time of the last tick
 * a file here would look older than one there that is older, and with the exact
 * time one there would look older than one here that is. So a file of our own
 * on tmpfs is stamped by the kernel and looked at.
 *
 * Where the kernel has no such timestamps, tmpfs has the time of the last tick,
 * and so have we.
 */
#ifndef FS_STAMP_H
#define FS_STAMP_H

#include <stdint.h>

struct ztime {
	int64_t sec;
	uint32_t nsec;
	uint32_t pad;
};

/* The file, for stamp_now(); -1 when the time of the last tick is as good. */
int stamp_open(void);

/*
 * Not earlier than any stamp that the kernel has given before, nor later than
 * any it gives after, and not the same as one given by an earlier call for @fd
 * (multigrain; and but for somebody setting the clock). By any number of
 * threads.
 */
struct ztime stamp_now(int fd);

/* The time of the last tick, for what need not be exact. */
struct ztime stamp_coarse(void);

#endif
