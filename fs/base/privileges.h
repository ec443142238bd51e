/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Privileges that a process gives up for good. For one with a single thread:
 * the kernel keeps them for each thread by itself. All return 0 or -errno.
 */
#ifndef FS_PRIVILEGES_H
#define FS_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* No program that it executes gets more than it has itself. */
int privileges_no_new(void);

/* The capability @cap in a set of them. */
#define PRIVILEGE(cap) (UINT64_C(1) << (cap))

/*
 * No program that it executes gets a capability that is not in @keep, whatever
 * the file has. Needs CAP_SETPCAP, so it comes before privileges_become().
 */
int privileges_bound(uint64_t keep);

/*
 * Be @uid and @gid, in no other group. Not without CAP_KILL, which the process
 * that started this one then lacks, too. Its memory is hidden from others of
 * that user (see memory_hide()).
 */
int privileges_become(uid_t uid, gid_t gid);

/*
 * Can threads that give way to others (SCHED_IDLE) come back by CAP_SYS_NICE
 * alone? Where RLIMIT_NICE is low and cannot be raised, as in containers.
 */
bool privileges_need_nice(void);

/* Have, and let programs inherit, those capabilities alone that are in @keep.
 */
int privileges_keep(uint64_t keep);
/* No program that it executes has one because it has it itself. */
void privileges_clear_ambient(void);

#endif
